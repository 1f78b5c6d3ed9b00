#include "daemon/hub/file_answer.hpp"

#include "daemon/hub/header_fields.hpp"
#include "daemon/hub/text.hpp"

#include <fmt/format.h>

namespace wharf::hub {

namespace {

Error unfit(const Subject& subject, std::string_view why) {
    return Error{ErrorKind::protocol,
                 fmt::format("the answer for {} does not fit: {}", describe(subject), why)};
}

Error changed(const ExpectedFile& file, std::string_view what) {
    return Error{ErrorKind::protocol,
                 fmt::format("the Hub's {} of {} has changed", what, describe(file.subject))};
}

Error changed(const ExpectedFile& file, std::string_view what, std::string_view is,
              std::string_view expected) {
    return Error{ErrorKind::protocol,
                 fmt::format("{}: {}, expected {}", changed(file, what).message(), quoted(is),
                             quoted(expected))};
}

/// The content's name that the answer gives; empty if none.
std::string named_blob(const net::HttpResponse& response) {
    const net::Headers& headers = response.headers();
    if (const auto linked = headers.find("X-Linked-Etag")) {
        return blob_name_of_etag(*linked);
    }
    const auto own = headers.find("ETag");
    return own && response.status() < 300 ? blob_name_of_etag(*own) : std::string{};
}

Result<BodyStart> check_whole(const net::HttpResponse& response, bool range_asked,
                              const ExpectedFile& file) {
    const auto length = response.content_length();
    if (length && *length != file.size) {
        return unfit(file.subject, fmt::format("it has {} bytes, expected {}", *length, file.size));
    }
    return BodyStart{0, range_asked};
}

Result<BodyStart> check_part(const net::HttpResponse& response, const ByteRange& range,
                             const ExpectedFile& file) {
    const auto field = response.headers().find("Content-Range");
    if (!field) {
        return unfit(file.subject, "it is a part without the field Content-Range");
    }
    const auto part = parse_content_range(*field);
    if (!part) {
        return unfit(file.subject, part.error().message());
    }
    if (part->first != range.begin || part->last >= range.end) {
        return unfit(file.subject,
                     fmt::format("bytes {} to {} came, asked were {} to {}", part->first,
                                 part->last, range.begin, range.end - 1));
    }
    if (part->total && *part->total != file.size) {
        return unfit(file.subject,
                     fmt::format("it has {} bytes, expected {}", *part->total, file.size));
    }
    const auto length = response.content_length();
    if (length && *length != part->last - part->first + 1) {
        return unfit(file.subject, "Content-Length and Content-Range differ");
    }
    return BodyStart{part->first, false};
}

} // namespace

Result<void> check_coding(const net::Headers& headers, const Subject& subject) {
    for (const std::string_view field : headers.all("Content-Encoding")) {
        const std::string_view coding = trimmed(field);
        if (!coding.empty() && !equals_ignoring_case(coding, "identity")) {
            return unfit(subject, fmt::format("it is compressed ({})", quoted(coding)));
        }
    }
    return {};
}

Result<void> check_identity(const net::HttpResponse& response, const ExpectedFile& file) {
    const net::Headers& headers = response.headers();
    const auto commit = headers.find("X-Repo-Commit");
    if (commit && trimmed(*commit) != file.commit) { // not named: others may not know it
        return changed(file, "commit");
    }
    if (const std::string etag = named_blob(response); !etag.empty() && etag != file.etag) {
        return changed(file, "content", etag, file.etag);
    }
    const auto size = headers.find("X-Linked-Size");
    if (size && parse_number(trimmed(*size)) != file.size) {
        return changed(file, "size", *size, fmt::to_string(file.size));
    }
    return {};
}

Result<BodyStart> check_body(const net::HttpResponse& response,
                             const std::optional<ByteRange>& range, const ExpectedFile& file) {
    if (auto checked = check_coding(response.headers(), file.subject); !checked) {
        return checked.error();
    }
    if (response.status() == 200) {
        return check_whole(response, range.has_value(), file);
    }
    if (!range) {
        return unfit(file.subject, "a part came, the whole was asked for");
    }
    return check_part(response, *range, file);
}

} // namespace wharf::hub
