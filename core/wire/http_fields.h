/* http_fields: what the request and the response parser share: byte classes, field lines, the fields that decide how a
 * message is framed. Private to wire/http*.c. Pure; any thread.
 *
 * Lines are judged one after the other, each as soon as its LF is there, and rules about several lines only when the
 * head is whole. That order is what makes a verdict independent of how the bytes were cut. */
#ifndef MOONGATE_WIRE_HTTP_FIELDS_H
#define MOONGATE_WIRE_HTTP_FIELDS_H

#include "wire/http.h"

enum {
  HTTP_BYTE_TOKEN = 1,  /* tchar, RFC 9110 5.6.2 */
  HTTP_BYTE_VALUE = 2,  /* field-vchar, space, tab: RFC 9110 5.5 */
  HTTP_BYTE_TARGET = 4, /* visible ASCII but '#' */
  HTTP_BYTE_HOST = 8    /* what registered names and addresses are made of; no comma, no percent sign */
};
extern const uint8_t http_byte_classes[256];

static inline bool http_byte_is(char byte, unsigned class) {
  return http_byte_classes[(unsigned char)byte] & class;
}

/* 0 to 15, or -1. */
static inline int http_hex_value(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  byte |= 0x20;
  return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* What the framing fields said. */
struct http_framing {
  struct slice length, coding, expect; /* of the first such line */
  uint16_t lengths, codings, hosts, expects;
  bool lengths_differ;
  bool close, keep_alive; /* options of Connection */
};

static inline enum http_verdict http_refuse(struct http_refusal *why, uint16_t status, const char *text) {
  why->status = status;
  why->tunnel = false;
  why->why = text;
  return HTTP_REFUSED;
}

/* Reads field lines from `at` up to and with the empty line. COMPLETE sets *after, headers, header_count, host;
 * MORE when the last line has no LF yet. */
enum http_verdict http_fields_read(const char *at, const char *end, unsigned headers_max, struct http_head *out,
                                   struct http_framing *framing, const char **after, struct http_refusal *why);
/* The last line of [start, end) has no LF yet: refuses it when it holds a CR that no LF follows. Bytes before
 * start + scanned have been judged by an earlier call, all but the last of them, which may have been a CR. */
enum http_verdict http_unfinished(const char *start, size_t scanned, const char *end, struct http_refusal *why);
/* A Content-Length value: digits, no sign, no blanks, no leading zero, at most 2^63 - 1. */
bool http_length_of(struct slice value, uint64_t *out);

#endif
