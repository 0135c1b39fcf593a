/* json_turns: the texts of a conversation, where a request's body holds its turns in the plainest form: a role and a
 * text each, and nothing else that says anything. Finds them without decoding: what is given are views of the body. Any
 * thread; the shape is the caller's (script/translation/text_form.h), so that this file knows no dialect.
 *
 * The body must be valid JSON already (json_scan): this looks at as much of it as it needs. */
#ifndef MOONGATE_WIRE_JSON_TURNS_H
#define MOONGATE_WIRE_JSON_TURNS_H

#include "wire/json.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { JSON_TURNS_MAX = 8192, JSON_TURN_WORDS_MAX = 2 };

enum json_turn_role { JSON_TURN_SYSTEM, JSON_TURN_USER, JSON_TURN_ASSISTANT, JSON_TURN_ROLES };

struct json_turn {
  struct slice text; /* a string as it stands, with its quotes */
  enum json_turn_role role;
};

/* Where a dialect has turns and texts. Words are compared as they stand: an escaped one is not known. Members of turns
 * and parts that hold null or an empty list say nothing, whatever their key. */
struct json_turns_shape {
  struct slice list;                         /* key of the list of turns, at the top of the body */
  struct slice system;                       /* key of the system text there; empty: none is read */
  struct slice content;                      /* of a turn, and of a system text that is an object */
  struct slice kind;                         /* word that a turn may have as "type"; empty: it has none */
  struct slice roles[JSON_TURN_ROLES];       /* words of a turn's "role"; empty: it has no such turns */
  struct slice types[JSON_TURN_WORDS_MAX];   /* words of a part's "type", which may be left out; empty: it has none */
  struct slice ignored[JSON_TURN_WORDS_MAX]; /* keys of a turn whose texts mean nothing to others */
  bool may_be_text;      /* a content, and the system text: a string instead of a list of one part */
  bool list_may_be_text; /* a string instead of the list is what the user says */
};

/* `{0}` is a valid empty one; `turns` is reused. */
struct json_turns {
  struct slice list;        /* the list as it stands */
  struct slice system;      /* the system text's value as it stands; ptr NULL: there is none */
  struct slice system_text; /* the string in it */
  struct json_turn *turns;  /* of the list, in order */
  size_t count, cap;
};

/* False when the body has anything but such turns, no turn, or more than JSON_TURNS_MAX. */
bool json_turns_read(struct slice body, const struct json_turns_shape *shape, struct json_turns *out);
void json_turns_done(struct json_turns *t);
/* The string in a content that stands alone, or in a message of an answer, which must be valid JSON. False when there
 * is more in it than a text. */
bool json_turns_text(struct slice content, const struct json_turns_shape *shape, struct slice *text);

#ifdef __cplusplus
}
#endif
#endif
