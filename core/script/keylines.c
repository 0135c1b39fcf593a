/* keylines: a lexer for Lua's tokens (manual section 3.1) and a walk over table constructors (3.4.9). Any thread. */
#include "script/keylines.h"

#include <ctype.h>

#include "base/memory.h"

enum token { END, NAME, STRING, NUMBER, SYMBOL };

struct lexer {
  const char *at, *end;
  int line;
  /* the present token */
  enum token kind;
  struct slice text; /* NAME, and the inside of a STRING; one byte for a SYMBOL */
  int token_line;
};

struct entry {
  char *path;
  size_t len;
  int line;
};

struct keylines {
  struct entry *entries;
  size_t count;
  int first_line;
};

/* At "[": the level of a long bracket, or -1. */
static int long_level(const struct lexer *l) {
  const char *p = l->at + 1;
  while (p < l->end && *p == '=') p++;
  return p < l->end && *p == '[' ? (int)(p - l->at) - 1 : -1;
}

static struct slice long_text(struct lexer *l, int level) {
  l->at += level + 2;
  const char *from = l->at;
  for (; l->at < l->end; l->at++) {
    if (*l->at == '\n') l->line++;
    if (*l->at != ']') continue;
    const char *p = l->at + 1;
    int equals = 0;
    while (p < l->end && *p == '=') p++, equals++;
    if (equals == level && p < l->end && *p == ']') {
      struct slice text = slice_of(from, (size_t)(l->at - from));
      l->at = p + 1;
      return text;
    }
  }
  return slice_of(from, (size_t)(l->end - from));
}

static void skip_blank(struct lexer *l) {
  while (l->at < l->end) {
    if (*l->at == '\n') {
      l->line++;
      l->at++;
    } else if (isspace((unsigned char)*l->at)) {
      l->at++;
    } else if (l->end - l->at >= 2 && l->at[0] == '-' && l->at[1] == '-') {
      l->at += 2;
      int level = l->at < l->end && *l->at == '[' ? long_level(l) : -1;
      if (level >= 0) long_text(l, level);
      else
        while (l->at < l->end && *l->at != '\n') l->at++;
    } else {
      return;
    }
  }
}

static void next(struct lexer *l) {
  skip_blank(l);
  l->token_line = l->line;
  if (l->at >= l->end) {
    l->kind = END;
    l->text = SLICE("");
    return;
  }
  const char *from = l->at;
  unsigned char c = (unsigned char)*from;
  if (isalpha(c) || c == '_') {
    while (l->at < l->end && (isalnum((unsigned char)*l->at) || *l->at == '_')) l->at++;
    l->kind = NAME;
    l->text = slice_of(from, (size_t)(l->at - from));
  } else if (isdigit(c)) {
    while (l->at < l->end && (isalnum((unsigned char)*l->at) || *l->at == '.')) l->at++;
    l->kind = NUMBER;
    l->text = slice_of(from, (size_t)(l->at - from));
  } else if (c == '"' || c == '\'') {
    for (l->at++; l->at < l->end && *l->at != (char)c && *l->at != '\n'; l->at++)
      if (*l->at == '\\' && l->at + 1 < l->end) l->at++;
    l->kind = STRING;
    l->text = slice_of(from + 1, (size_t)(l->at - from - 1));
    if (l->at < l->end) l->at++;
  } else if (c == '[' && long_level(l) >= 0) {
    l->kind = STRING;
    l->text = long_text(l, long_level(l));
  } else {
    l->at++;
    if (l->end - from >= 2 && c == '=' && from[1] == '=') l->at++; /* a comparison is no assignment */
    l->kind = SYMBOL;
    l->text = slice_of(from, (size_t)(l->at - from));
  }
}

static bool is_symbol(const struct lexer *l, char c) {
  return l->kind == SYMBOL && l->text.len == 1 && *l->text.ptr == c;
}

static void add(struct keylines *k, struct slice path, int line) {
  k->entries = mem_resize(k->entries, (k->count + 1) * sizeof *k->entries);
  k->entries[k->count++] = (struct entry){mem_text(path.ptr, path.len), path.len, line};
}

static void constructor(struct keylines *k, struct lexer *l, struct buf *path);

/* A value up to the ',' ';' or '}' that ends it; a constructor that stands first is walked, any other is passed over.
 */
static void value(struct keylines *k, struct lexer *l, struct buf *path) {
  if (is_symbol(l, '{')) constructor(k, l, path);
  for (int depth = 0; l->kind != END; next(l)) {
    if (depth == 0 && (is_symbol(l, ',') || is_symbol(l, ';') || is_symbol(l, '}'))) return;
    if (is_symbol(l, '{') || is_symbol(l, '(')) depth++;
    if (is_symbol(l, '}') || is_symbol(l, ')')) depth--;
  }
}

static void constructor(struct keylines *k, struct lexer *l, struct buf *path) {
  size_t base = path->len;
  unsigned item = 0;
  next(l); /* past '{' */
  while (l->kind != END && !is_symbol(l, '}')) {
    struct lexer here = *l;
    struct slice key = {NULL, 0};
    int line = l->token_line;
    if (l->kind == NAME) {
      key = l->text;
      next(l);
      if (is_symbol(l, '=')) next(l);
      else key.ptr = NULL;
    } else if (is_symbol(l, '[')) {
      next(l);
      key = l->text;
      next(l);
      if (is_symbol(l, ']')) next(l);
      if (is_symbol(l, '=')) next(l);
      else key.ptr = NULL;
    }
    if (base > 0) buf_byte(path, '\x1f');
    if (key.ptr != NULL) {
      buf_slice(path, key);
    } else {
      *l = here; /* a positional item: its first token belongs to the value */
      buf_u64(path, ++item);
    }
    add(k, buf_view(path), line);
    value(k, l, path);
    path->len = base;
    if (is_symbol(l, ',') || is_symbol(l, ';')) next(l);
  }
  next(l); /* past '}' */
}

struct keylines *keylines_new(struct slice text) {
  struct keylines *k = mem_new(struct keylines);
  struct lexer l = {.at = text.ptr, .end = text.ptr + text.len, .line = 1};
  struct buf path = {0};
  k->first_line = 1;
  for (next(&l); l.kind != END; next(&l)) {
    /* Only a return of the file itself; one within a function stands in front of `end`, and its table is not the
     * file's. The last one seen wins, which is the file's own. */
    if (l.kind != NAME || !slice_eq(l.text, SLICE("return"))) continue;
    k->first_line = l.token_line;
    next(&l);
    if (!is_symbol(&l, '{')) continue;
    for (size_t i = 0; i < k->count; i++) mem_free(k->entries[i].path);
    k->count = 0;
    k->first_line = l.token_line;
    constructor(k, &l, &path);
    path.len = 0;
  }
  buf_done(&path);
  return k;
}

void keylines_free(struct keylines *k) {
  for (size_t i = 0; i < k->count; i++) mem_free(k->entries[i].path);
  mem_free(k->entries);
  mem_free(k);
}

int keylines_of(const struct keylines *k, struct slice path) {
  while (path.len > 0) {
    for (size_t i = 0; i < k->count; i++)
      if (slice_eq(slice_of(k->entries[i].path, k->entries[i].len), path)) return k->entries[i].line;
    while (path.len > 0 && path.ptr[--path.len] != '\x1f') continue;
  }
  return k->first_line;
}
