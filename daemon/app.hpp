#pragma once

#include "daemon/config.hpp"

#include <filesystem>
#include <functional>
#include <memory>

namespace wharf {

/// The daemon: owns all its parts, in the order in which they depend on each other, and runs until
/// a signal ends it. SIGTERM and SIGINT drain and stop, SIGHUP reloads the configuration.
class App {
  public:
    /// Reads the configuration again, for SIGHUP.
    using Reload = std::function<Config()>;

    /// Opens everything and takes the socket. Throws what the parts throw.
    App(Config config, Reload reload);
    ~App();

    /// Serves until a signal; 0 after an orderly end.
    int run();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace wharf
