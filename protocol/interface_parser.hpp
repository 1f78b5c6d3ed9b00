#pragma once

#include "protocol/interface.hpp"

#include <cstddef>
#include <optional>

namespace wharf::protocol {

/// Reads the text of an interface definition, by recursive descent. After the first mistake it
/// reads nothing more; error() says what was wrong.
class InterfaceParser {
  public:
    struct Member {
        enum class Kind { type, method, error };
        Kind kind;
        std::string name;
        Type type;   ///< of a type or an error; the input of a method
        Type output; ///< of a method
    };

    explicit InterfaceParser(std::string_view text) noexcept : text_{text} {}

    /// "interface" and its name: comes first.
    std::string read_header();
    /// The next definition; nothing at the end and after a mistake.
    std::optional<Member> read_member();

    const std::optional<Error>& error() const noexcept { return error_; }
    void fail(std::string_view what);

  private:
    void skip_space();
    bool take(std::string_view token);
    void expect(std::string_view token);
    std::string_view take_word();
    std::string read_member_name();
    std::string read_field_name();
    Type read_structure();
    Type read_struct_or_enum();
    Type read_struct_after(std::string first);
    Type read_enum_after(std::string first);
    Type read_type();
    Type read_plain_type();
    void read_element(Type& type, Type::Kind kind);

    std::string_view text_;
    std::size_t position_ = 0;
    std::size_t depth_ = 0; ///< of types in types
    std::optional<Error> error_;
};

} // namespace wharf::protocol
