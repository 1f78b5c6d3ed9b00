#pragma once

#include "tests/unit/net/client_fixture.hpp"

namespace wharf::test {

/// The authority that tests trust.
inline const Certificate& authority() {
    static const Certificate made = make_certificate({.is_authority = true}, nullptr);
    return made;
}

/// A server that the authority vouches for.
inline ServerTls server_tls(const CertificateOptions& options = {}) {
    return {.certificate = make_certificate(options, &authority())};
}

/// Trusts the tests' authority only.
struct Trusting {
    TemporaryFile ca_file{authority().certificate};
    net::HttpOptions options = quick_options();
    Trusting() { options.ca_file = ca_file.path(); }
};

} // namespace wharf::test
