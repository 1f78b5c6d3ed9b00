#pragma once

#include "base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

/// Varlink interface definitions (https://varlink.org/Interface-Definition) as data.
namespace wharf::protocol {

struct Field;

/// The type of a value.
struct Type {
    enum class Kind {
        boolean,
        integer,
        floating,
        string,
        object, ///< any JSON object
        any,    ///< any JSON value
        named,  ///< a type of the interface, by `name`
        structure,
        enumeration,
        array, ///< of `element`
        map,   ///< from strings to `element`
    };
    Kind kind = Kind::any;
    bool optional = false;          ///< may be null or absent
    std::string name;               ///< of a named type
    std::vector<Field> fields;      ///< of a structure
    std::vector<std::string> words; ///< of an enumeration
    std::vector<Type> element;      ///< one, for arrays and maps
};

struct Field {
    std::string name;
    Type type;
};

/// A type definition (a structure or an enumeration) under its name.
struct NamedType {
    std::string name;
    Type type;
};

struct Method {
    std::string name; ///< without the interface
    Type input;       ///< a structure
    Type output;      ///< a structure
};

/// A typed error; `type` is the structure of its parameters.
using ErrorType = NamedType;

/// One interface, checked: names are unique and all types that are named exist.
class Interface {
  public:
    /// Errors: invalid_request, naming the line.
    static Result<Interface> parse(std::string_view text);

    const std::string& name() const noexcept { return name_; }
    /// The definition as it was written, comments and all.
    const std::string& text() const noexcept { return text_; }
    const std::vector<NamedType>& types() const noexcept { return types_; }
    const std::vector<Method>& methods() const noexcept { return methods_; }
    const std::vector<ErrorType>& errors() const noexcept { return errors_; }

    /// Null when there is none of that name. The answer lives as long as the interface is unmoved.
    const Type* find_type(std::string_view name) const noexcept;
    const Method* find_method(std::string_view name) const noexcept;
    const Type* find_error(std::string_view name) const noexcept;

  private:
    std::string name_;
    std::string text_;
    std::vector<NamedType> types_;
    std::vector<Method> methods_;
    std::vector<ErrorType> errors_;
};

} // namespace wharf::protocol
