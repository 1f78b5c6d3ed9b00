#include "tests/unit/net/certificates.hpp"

#include "base/unique_fd.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <unistd.h>

namespace wharf::test {

namespace {

struct Deleter {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
    void operator()(BIO* bio) const { BIO_free(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter>;
using X509Ptr = std::unique_ptr<X509, Deleter>;
using Bio = std::unique_ptr<BIO, Deleter>;

std::string text_of(const Bio& bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

Bio read_only(const std::string& text) {
    return Bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

void add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Deleter> extension{
        X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str())};
    if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) {
        throw std::runtime_error{"cannot add a certificate extension: " + value};
    }
}

void set_name(X509* certificate, const char* common_name) {
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
}

} // namespace

Certificate make_certificate(const CertificateOptions& options, const Certificate* issuer) {
    static long serial = 1;
    const Key key{EVP_EC_gen("P-256")};
    const X509Ptr certificate{X509_new()};
    X509* self = certificate.get();
    X509_set_version(self, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(self), serial++);
    X509_gmtime_adj(X509_getm_notBefore(self), 86400L * options.starts_in_days);
    X509_gmtime_adj(X509_getm_notAfter(self), 86400L * options.ends_in_days);
    X509_set_pubkey(self, key.get());
    set_name(self, options.is_authority ? "test authority" : "test server");
    X509Ptr issuer_certificate;
    Key issuer_key;
    if (issuer != nullptr) {
        issuer_certificate.reset(
            PEM_read_bio_X509(read_only(issuer->certificate).get(), nullptr, nullptr, nullptr));
        issuer_key.reset(
            PEM_read_bio_PrivateKey(read_only(issuer->key).get(), nullptr, nullptr, nullptr));
    }
    X509* signer = issuer != nullptr ? issuer_certificate.get() : self;
    X509_set_issuer_name(self, X509_get_subject_name(signer));
    add_extension(self, signer, NID_basic_constraints,
                  options.is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (!options.is_authority) {
        add_extension(self, signer, NID_subject_alt_name, options.names);
    }
    X509_sign(self, issuer != nullptr ? issuer_key.get() : key.get(), EVP_sha256());
    const Bio certificate_text{BIO_new(BIO_s_mem())};
    const Bio key_text{BIO_new(BIO_s_mem())};
    PEM_write_bio_X509(certificate_text.get(), self);
    PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return {text_of(certificate_text), text_of(key_text)};
}

TemporaryFile::TemporaryFile(const std::string& text)
    : path_{(std::filesystem::temp_directory_path() / "wharf-net-XXXXXX").string()} {
    const UniqueFd fd{adopt_fd, ::mkstemp(path_.data())};
    if (!fd || ::write(fd.value(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw std::runtime_error{"cannot write " + path_};
    }
}

TemporaryFile::~TemporaryFile() {
    ::unlink(path_.c_str());
}

} // namespace wharf::test
