#pragma once

#include <utility>

namespace wharf {

/// Runs a function when the scope ends, unless released. The function must not throw.
template <typename Function>
class ScopeExit {
  public:
    explicit ScopeExit(Function function) : function_{std::move(function)} {}
    ScopeExit(const ScopeExit&) = delete;
    ScopeExit& operator=(const ScopeExit&) = delete;
    ~ScopeExit() {
        if (armed_) {
            function_();
        }
    }
    void release() noexcept { armed_ = false; }

  private:
    Function function_;
    bool armed_ = true;
};

} // namespace wharf
