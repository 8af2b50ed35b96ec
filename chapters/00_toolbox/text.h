// Numbers and names as text: the same spelling in --help, in the CSV head and in every cell.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <string>
#include <string_view>
#include <vector>

// The shortest text that reads back as the same number, whole numbers without exponent; "inf" and "nan" for those.
template <class T>
requires(std::integral<T> || std::floating_point<T>) std::string to_text(T x) {
  if constexpr (std::same_as<T, bool>) {
    return x ? "true" : "false";
  } else {
    if constexpr (std::floating_point<T>)
      if (std::abs(x) < T(1e15) && x == std::trunc(x) && !(x == 0 && std::signbit(x)))
        return to_text(static_cast<long long>(x));
    char digits[64];
    const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, x);
    return std::string(digits, end.ptr);
  }
}
inline std::string to_text(const std::string& x) { return x; }
inline std::string to_text(const char* x) { return x; }

template <class T>
std::string join(const std::vector<T>& items, const std::string& separator) {
  std::string all;
  for (size_t i = 0; i < items.size(); ++i) all += (i ? separator : "") + to_text(items[i]);
  return all;
}

// Reads the whole of `text` as a number of type T; false if anything else is there or if it does not fit into T.
template <class T>
bool read_number(std::string_view text, T& x) {
  const std::from_chars_result end = std::from_chars(text.data(), text.data() + text.size(), x);
  return end.ec == std::errc() && end.ptr == text.data() + text.size();
}

// Line breaks and other control characters written as \n, \t, \x1b: the result is one line.
inline std::string one_line(std::string_view text) {
  static const char* hex = "0123456789abcdef";
  std::string line;
  for (const unsigned char c : text) {
    if (c == '\n') line += "\\n";
    else if (c == '\t') line += "\\t";
    else if (c < 32 || c == 127) line += {'\\', 'x', hex[c / 16], hex[c % 16]};
    else line += static_cast<char>(c);
  }
  return line;
}
