#pragma once

#include <memory>
#include <string>

namespace wharf::test {

/// A certificate with its key, in PEM.
struct Certificate {
    std::string certificate;
    std::string key;
};

struct CertificateOptions {
    std::string names = "DNS:localhost,IP:127.0.0.1,IP:::1"; ///< subjectAltName
    int starts_in_days = -1;
    int ends_in_days = 1;
    bool is_authority = false;
};

/// Makes a key and a certificate for it, signed by `issuer`, or by itself when that is null.
Certificate make_certificate(const CertificateOptions& options, const Certificate* issuer);

/// A file with this text for as long as it lives.
class TemporaryFile {
  public:
    explicit TemporaryFile(const std::string& text);
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile();
    const std::string& path() const noexcept { return path_; }

  private:
    std::string path_;
};

} // namespace wharf::test
