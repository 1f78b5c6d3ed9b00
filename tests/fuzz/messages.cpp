// What a client may send to the socket: a stream of messages, cut anywhere. Promises: the same
// messages come out however the stream was cut; what is understood and written again means the
// same; parameters that pass for a method of ours have no string that could cut a path short.

#include "protocol/definitions.hpp"
#include "protocol/frame.hpp"
#include "protocol/interface.hpp"
#include "protocol/message.hpp"
#include "protocol/utf8.hpp"
#include "protocol/validate.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <boost/json/value.hpp>

#include <algorithm>

namespace wharf::fuzz {

namespace {

namespace json = boost::json;

/// So small that the fuzzer reaches it.
constexpr std::size_t longest_message = 1024;

const std::vector<protocol::Interface>& interfaces() {
    static const auto all = [] {
        std::vector<protocol::Interface> list;
        for (const std::string_view text : protocol::definitions()) {
            list.push_back(protocol::Interface::parse(text).value());
        }
        return list;
    }();
    return all;
}

void check_strings(const json::value& value) {
    const auto check = [](std::string_view text) {
        require(protocol::is_utf8(text), "strings that pass are UTF-8");
        require(text.find('\0') == text.npos, "strings that pass hold no NUL");
    };
    if (value.is_string()) {
        check(value.get_string());
    } else if (value.is_array()) {
        std::ranges::for_each(value.get_array(), check_strings);
    } else if (value.is_object()) {
        for (const auto& member : value.get_object()) {
            check(member.key());
            check_strings(member.value());
        }
    }
}

void check_parameters(const protocol::Call& call) {
    for (const auto& interface : interfaces()) {
        for (const auto& method : interface.methods()) {
            if (call.method != interface.name() + '.' + method.name) {
                continue;
            }
            const auto mismatch = find_mismatch(interface, method.input, call.parameters);
            if (!mismatch) {
                check_strings(call.parameters);
            } else {
                require(!mismatch->parameter.empty(), "a mismatch names the parameter");
            }
        }
    }
}

void check_message(std::string_view text) {
    interfaces(); // they are made once, and no message's doing
    const MemoryLimit limit{(64 << 10) + 64 * text.size()};
    if (const auto call = protocol::decode_call(text)) {
        require(protocol::is_utf8(text), "only UTF-8 is understood");
        std::string written = protocol::encode(*call);
        require(written.back() == '\0', "a message ends with its NUL");
        written.pop_back();
        const auto again = protocol::decode_call(written);
        require(again && again->method == call->method && again->parameters == call->parameters &&
                    again->oneway == call->oneway && again->more == call->more &&
                    again->upgrade == call->upgrade,
                "a call means the same when written again");
        check_parameters(*call);
    }
    if (const auto reply = protocol::decode_reply(text)) {
        std::string written = protocol::encode(*reply);
        written.pop_back();
        const auto again = protocol::decode_reply(written);
        require(again && again->error == reply->error && again->parameters == reply->parameters &&
                    again->continues == reply->continues,
                "a reply means the same when written again");
    }
}

/// The messages of a stream until it ends or is of no use.
std::vector<std::string> split(std::string_view stream, Cuts cuts) {
    std::vector<std::string> messages;
    protocol::FrameReader reader{longest_message};
    while (!stream.empty()) {
        const auto part = stream.substr(0, cuts.next());
        stream.remove_prefix(part.size());
        reader.append(part);
        while (true) {
            auto frame = reader.next();
            if (!frame) {
                return messages;
            }
            if (!*frame) {
                break;
            }
            messages.push_back(std::move((*frame)->text));
        }
        require(reader.buffered() <= longest_message, "no more than one message is held");
    }
    return messages;
}

} // namespace

void run(std::string_view input) {
    const Cuts cuts = Cuts::take(input);
    std::string_view nothing;
    const auto messages = split(input, cuts);
    require(messages == split(input, Cuts::take(nothing)), "cuts do not change the messages");
    std::string_view rest = input;
    for (const std::string& message : messages) {
        require(take_until(rest, '\0') == message, "messages are what stands between NULs");
        check_message(message);
    }
}

} // namespace wharf::fuzz
