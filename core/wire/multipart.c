/* multipart: see the header. Any thread. */
#include "wire/multipart.h"

static bool is_blank(char byte) {
  return byte == ' ' || byte == '\t';
}

/* Takes `name=value` or `name="value"` off the front of *rest, which begins behind a ';'. A quoted value stays as it is
 * written; one with a backslash is not taken, since senders disagree about what that means. */
static bool take_parameter(struct slice *rest, struct slice *name, struct slice *value) {
  size_t at = 0, from;
  while (at < rest->len && is_blank(rest->ptr[at])) at++;
  from = at;
  while (at < rest->len && rest->ptr[at] != '=' && rest->ptr[at] != ';' && !is_blank(rest->ptr[at])) at++;
  *name = slice_of(rest->ptr + from, at - from);
  if (name->len == 0 || at == rest->len || rest->ptr[at++] != '=') return false;
  bool quoted = at < rest->len && rest->ptr[at] == '"';
  from = at += quoted;
  while (at < rest->len && (quoted ? rest->ptr[at] != '"' : rest->ptr[at] != ';' && !is_blank(rest->ptr[at])))
    if (rest->ptr[at++] == '\\') return false;
  *value = slice_of(rest->ptr + from, at - from);
  if (quoted && at++ == rest->len) return false;
  while (at < rest->len && is_blank(rest->ptr[at])) at++;
  if (at < rest->len && rest->ptr[at] != ';') return false;
  *rest = slice_from(*rest, at);
  return true;
}

/* What follows the ';' after the first word, which must be `word`. */
static bool begins_with(struct slice text, struct slice word, struct slice *parameters) {
  ptrdiff_t semicolon = slice_find_byte(text, ';');
  if (semicolon < 0 || !slice_eq_nocase(slice_trim(slice_of(text.ptr, (size_t)semicolon)), word)) return false;
  *parameters = slice_from(text, (size_t)semicolon);
  return true;
}

static bool fails(struct multipart *m, const char *why) {
  m->why = why;
  return false;
}

static bool set_delimiter(struct multipart *m, struct slice content_type) {
  struct slice parameters, name, value;
  if (!begins_with(content_type, SLICE("multipart/form-data"), &parameters))
    return fails(m, "the content-type is not multipart/form-data with a boundary");
  m->delimiter_len = 0;
  while (parameters.len > 0) {
    parameters = slice_from(parameters, 1);
    if (!take_parameter(&parameters, &name, &value)) return fails(m, "the content-type cannot be read");
    if (!slice_eq_nocase(name, SLICE("boundary"))) continue;
    if (m->delimiter_len > 0 || value.len == 0 || value.len > MULTIPART_BOUNDARY_MAX)
      return fails(m, "the boundary is empty, too long, or there twice");
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, value.ptr, value.len);
    m->delimiter_len = 4 + value.len;
  }
  return m->delimiter_len > 0 || fails(m, "the content-type has no boundary");
}

bool multipart_begin(struct multipart *m, struct slice content_type, struct slice body) {
  if (!set_delimiter(m, content_type)) return false;
  struct slice first = slice_of(m->delimiter + 2, m->delimiter_len - 2);
  if (!slice_starts(body, first)) return fails(m, "the body does not begin with the boundary");
  m->rest = slice_from(body, first.len);
  return true;
}

/* The name and file name in a part's head. */
static bool read_head(struct multipart *m, struct slice head, struct multipart_part *out) {
  while (head.len > 0) {
    ptrdiff_t end = slice_find(head, SLICE("\r\n"));
    struct slice line = end < 0 ? head : slice_of(head.ptr, (size_t)end);
    head = end < 0 ? SLICE("") : slice_from(head, (size_t)end + 2);
    ptrdiff_t colon = slice_find_byte(line, ':');
    if (colon <= 0) return fails(m, "a part has a header line without a colon");
    if (!slice_eq_nocase(slice_of(line.ptr, (size_t)colon), SLICE("content-disposition"))) continue;
    struct slice parameters, name, value;
    if (out->name.ptr != NULL ||
        !begins_with(slice_trim(slice_from(line, (size_t)colon + 1)), SLICE("form-data"), &parameters))
      return fails(m, "a part is not form-data, or says twice what it is");
    while (parameters.len > 0) {
      parameters = slice_from(parameters, 1);
      if (!take_parameter(&parameters, &name, &value)) return fails(m, "a part's content-disposition cannot be read");
      struct slice *to = slice_eq_nocase(name, SLICE("name"))       ? &out->name
                         : slice_eq_nocase(name, SLICE("filename")) ? &out->filename
                                                                    : NULL;
      if (to == NULL) continue;
      if (to->ptr != NULL) return fails(m, "a part has two names");
      *to = value;
    }
  }
  return out->name.ptr != NULL || fails(m, "a part has no name");
}

enum multipart_verdict multipart_next(struct multipart *m, struct multipart_part *out) {
  *out = (struct multipart_part){0};
  if (slice_starts(m->rest, SLICE("--"))) return MULTIPART_END;
  m->why = "a part is not whole";
  if (!slice_starts(m->rest, SLICE("\r\n"))) return MULTIPART_BROKEN;
  struct slice part = slice_from(m->rest, 2);
  ptrdiff_t head_end = slice_find(part, SLICE("\r\n\r\n"));
  if (head_end < 0) return MULTIPART_BROKEN;
  struct slice value = slice_from(part, (size_t)head_end + 4);
  /* An empty value may share its CR LF with the head's. */
  ptrdiff_t end = slice_find(slice_from(part, (size_t)head_end + 2), slice_of(m->delimiter, m->delimiter_len));
  if (end < 0) return MULTIPART_BROKEN;
  if (!read_head(m, slice_of(part.ptr, (size_t)head_end), out)) return MULTIPART_BROKEN;
  out->value = end < 2 ? slice_of(value.ptr, 0) : slice_of(value.ptr, (size_t)end - 2);
  m->rest = slice_from(part, (size_t)head_end + 2 + (size_t)end + m->delimiter_len);
  return MULTIPART_PART;
}
