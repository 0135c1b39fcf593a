/* http: limits, lookups in a parsed head, reasons. Pure; any thread. The parsers are in http_request.c, http_response.c
 * and http_chunked.c. */
#include "wire/http.h"

const struct http_limits http_limits_default = {.head_bytes = 32 * 1024, .target_bytes = 8 * 1024, .headers = 100};

struct slice http_header_of(const struct http_head *head, struct slice name) {
  for (unsigned i = 0; i < head->header_count; i++)
    if (slice_eq_nocase(head->headers[i].name, name)) return head->headers[i].value;
  return slice_of(NULL, 0);
}

unsigned http_header_count(const struct http_head *head, struct slice name) {
  unsigned count = 0;
  for (unsigned i = 0; i < head->header_count; i++) count += slice_eq_nocase(head->headers[i].name, name);
  return count;
}

static bool list_holds(struct slice list, struct slice token) {
  for (;;) {
    ptrdiff_t comma = slice_find_byte(list, ',');
    struct slice element = slice_trim(comma < 0 ? list : slice_of(list.ptr, (size_t)comma));
    if (slice_eq_nocase(element, token)) return true;
    if (comma < 0) return false;
    list = slice_from(list, (size_t)comma + 1);
  }
}

bool http_list_has(const struct http_head *head, struct slice name, struct slice token) {
  for (unsigned i = 0; i < head->header_count; i++)
    if (slice_eq_nocase(head->headers[i].name, name) && list_holds(head->headers[i].value, token)) return true;
  return false;
}

/* RFC 9110 section 15, RFC 6585, RFC 8470 (425), RFC 7725 (451), RFC 5842 and WebDAV left out. 529 is what Anthropic
 * answers when it is overloaded. */
const char *http_reason(unsigned status) {
  switch (status) {
  case 100: return "Continue";
  case 101: return "Switching Protocols";
  case 103: return "Early Hints";
  case 200: return "OK";
  case 201: return "Created";
  case 202: return "Accepted";
  case 203: return "Non-Authoritative Information";
  case 204: return "No Content";
  case 205: return "Reset Content";
  case 206: return "Partial Content";
  case 300: return "Multiple Choices";
  case 301: return "Moved Permanently";
  case 302: return "Found";
  case 303: return "See Other";
  case 304: return "Not Modified";
  case 307: return "Temporary Redirect";
  case 308: return "Permanent Redirect";
  case 400: return "Bad Request";
  case 401: return "Unauthorized";
  case 402: return "Payment Required";
  case 403: return "Forbidden";
  case 404: return "Not Found";
  case 405: return "Method Not Allowed";
  case 406: return "Not Acceptable";
  case 407: return "Proxy Authentication Required";
  case 408: return "Request Timeout";
  case 409: return "Conflict";
  case 410: return "Gone";
  case 411: return "Length Required";
  case 412: return "Precondition Failed";
  case 413: return "Content Too Large";
  case 414: return "URI Too Long";
  case 415: return "Unsupported Media Type";
  case 416: return "Range Not Satisfiable";
  case 417: return "Expectation Failed";
  case 421: return "Misdirected Request";
  case 422: return "Unprocessable Content";
  case 424: return "Failed Dependency";
  case 425: return "Too Early";
  case 426: return "Upgrade Required";
  case 428: return "Precondition Required";
  case 429: return "Too Many Requests";
  case 431: return "Request Header Fields Too Large";
  case 451: return "Unavailable For Legal Reasons";
  case 499: return "Client Closed Request";
  case 500: return "Internal Server Error";
  case 501: return "Not Implemented";
  case 502: return "Bad Gateway";
  case 503: return "Service Unavailable";
  case 504: return "Gateway Timeout";
  case 505: return "HTTP Version Not Supported";
  case 511: return "Network Authentication Required";
  case 529: return "Overloaded";
  default: return "Unknown";
  }
}

struct slice http_query_of(struct slice query, struct slice name) {
  while (query.len > 0) {
    ptrdiff_t end = slice_find_byte(query, '&');
    struct slice one = end < 0 ? query : slice_of(query.ptr, (size_t)end);
    query = end < 0 ? SLICE("") : slice_from(query, (size_t)end + 1);
    if (slice_starts(one, name) && one.len > name.len && one.ptr[name.len] == '=') return slice_from(one, name.len + 1);
  }
  return slice_of(NULL, 0);
}
