/* json_number: numbers with a fraction, both directions, by the C++ library's shortest round-trip conversions (no
 * locale, no allocation). Pure; any thread. */
#include <charconv>
#include <cmath>

extern "C" {
#include "base/bytes.h"
}
#include "wire/json.h"

static const size_t NUMBER_BYTES = 32; /* "-1.7976931348623157e+308" is 24 */
static const int64_t EXPONENT_CAP = 1000000000;

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* Whether a number that a double cannot hold is too large (and not too small): by the place of its first digit that is
 * not 0, counted from the point, and its exponent. */
static bool too_large(struct slice number) {
  int64_t place = 0, exponent = 0;
  bool point = false, first = false, negative = false;
  size_t i = 0;
  for (; i < number.len && number.ptr[i] != 'e' && number.ptr[i] != 'E'; i++) {
    char c = number.ptr[i];
    if (c == '.') point = true;
    if (!is_digit(c)) continue;
    if (c != '0') first = true;
    if (!point && first) place++;
    if (point && !first) place--;
  }
  for (i++; i < number.len; i++) {
    if (number.ptr[i] == '-') negative = true;
    if (is_digit(number.ptr[i]) && exponent < EXPONENT_CAP) exponent = exponent * 10 + (number.ptr[i] - '0');
  }
  return place + (negative ? -exponent : exponent) > 0;
}

bool json_to_double(struct slice raw, double *out) {
  const char *end = raw.ptr + raw.len;
  /* from_chars also takes "inf", "nan" and ".5". */
  if (raw.len == 0 || !(is_digit(raw.ptr[0]) || (raw.len > 1 && raw.ptr[0] == '-' && is_digit(raw.ptr[1]))))
    return false;
  std::from_chars_result result = std::from_chars(raw.ptr, end, *out);
  if (result.ptr != end) return false;
  if (result.ec == std::errc()) return true;
  *out = std::copysign(too_large(raw) ? HUGE_VAL : 0.0, raw.ptr[0] == '-' ? -1.0 : 1.0);
  return true;
}

void json_put_double(struct buf *out, double number) {
  if (!std::isfinite(number)) {
    buf_text(out, "null");
    return;
  }
  char *at = buf_reserve(out, NUMBER_BYTES);
  out->len += (size_t)(std::to_chars(at, at + NUMBER_BYTES, number).ptr - at);
}
