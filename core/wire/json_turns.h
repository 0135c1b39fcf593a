/* json_turns: what is said in a conversation, where a request's body holds its turns in the plainest form: texts, calls
 * of tools and what came of them, and nothing else that says anything. Finds them without decoding: what is given are
 * views of the body. Any thread; the shape is the caller's (script/translation/text_form.h), so that this file knows no
 * dialect.
 *
 * The body must be valid JSON already (json_scan): this looks at as much of it as it needs. */
#ifndef MOONGATE_WIRE_JSON_TURNS_H
#define MOONGATE_WIRE_JSON_TURNS_H

#include "wire/json.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { JSON_TURNS_MAX = 8192, JSON_TURN_WORDS_MAX = 2, JSON_TURN_PLAIN_MAX = 64 };

enum json_turn_role { JSON_TURN_SYSTEM, JSON_TURN_USER, JSON_TURN_ASSISTANT, JSON_TURN_ROLES };
enum json_turn_kind { JSON_TURN_TEXT, JSON_TURN_CALL, JSON_TURN_RESULT };

/* One thing that is said: of the assistant a text or a call, of the user a text or a result. */
struct json_turn {
  struct slice text; /* a string as it stands, with its quotes; a call's arguments and a result may be an object */
  struct slice id,
      name; /* of a call; a result has only the id. Without quotes: 1 to JSON_TURN_PLAIN_MAX of a-zA-Z0-9_- */
  enum json_turn_role role;
  enum json_turn_kind kind;
  bool begins;   /* a turn; false: it belongs to that of the one before */
  bool is_error; /* of a result */
  bool is_marked;
};

/* Where a dialect has calls and results. */
enum json_tools_place {
  JSON_TOOLS_NOWHERE,
  JSON_TOOLS_BESIDE, /* a turn's calls in a list beside its content, each result a turn with a role of its own */
  JSON_TOOLS_TYPED,  /* parts of a content, told by their type */
  JSON_TOOLS_KEYED,  /* parts of a content, each the value of a key that tells */
  JSON_TOOLS_LISTED  /* turns of their own, told by their type */
};

/* Members that are not named here must be null. */
struct json_tools_shape {
  enum json_tools_place place;
  struct slice call;      /* key of that list, or the type, or the key */
  struct slice call_type; /* that an element of the list may have; empty elsewhere */
  struct slice inside;    /* key of the object that holds name and arguments; empty: they stand beside the id */
  struct slice call_id, name, arguments;
  bool arguments_are_text; /* JSON within a string; else an object */
  struct slice result;     /* that role, or the type, or the key */
  struct slice result_id;
  struct slice output;           /* key of a content of one text, or none; result_is_object: of an object */
  bool result_is_object;         /* {"output": "…"} is a text, any other object what came itself */
  struct slice result_name;      /* key of a string that says nothing more; empty: none */
  struct slice error;            /* key of what says whether it is one; empty: none */
  struct slice error_words[2];   /* its values, if those are strings: no error, an error; empty: false and true */
  struct slice output_value_key; /* a part of an output may be an object under this key; empty: none */
};

/* Where a dialect has turns and texts. Words are compared as they stand: an escaped one is not known. Members of turns
 * and parts that hold null say nothing, whatever their key. */
struct json_turns_shape {
  struct slice list;                         /* key of the list of turns, at the top of the body */
  struct slice system;                       /* key of the system text there; empty: none is read */
  struct slice content;                      /* of a turn, and of a system text that is an object */
  struct slice kind;                         /* word that a turn may have as "type"; empty: it has none */
  struct slice roles[JSON_TURN_ROLES];       /* words of a turn's "role"; empty: it has no such turns */
  struct slice types[JSON_TURN_WORDS_MAX];   /* words of a part's "type", which may be left out; empty: it has none */
  struct slice ignored[JSON_TURN_WORDS_MAX]; /* keys of a turn whose texts mean nothing to others */
  struct slice lists[JSON_TURN_WORDS_MAX];   /* keys of a turn or text whose empty lists say nothing */
  struct slice mark; /* key of an object that marks a part, of which only its being there is told; empty: none may */
  bool may_be_text;  /* a content, and the system text: a string instead of a list of parts */
  bool list_may_be_text; /* a string instead of the list is what the user says */
  bool joins_assistant;  /* what the assistant says in a row is one turn, whatever it is cut into */
  bool joins_texts;      /* and so are texts within it, which are not for this file then */
  struct json_tools_shape tools;
};

/* `{0}` is a valid empty one; `turns` is reused. */
struct json_turns {
  struct slice list;        /* the list as it stands */
  struct slice system;      /* the system text's value as it stands; ptr NULL: there is none */
  struct slice system_text; /* the string in it */
  bool system_is_marked;
  struct json_turn *turns; /* of the list, in order */
  size_t count, cap;
};

/* False when the body says anything else, nothing, or more than JSON_TURNS_MAX things. */
bool json_turns_read(struct slice body, const struct json_turns_shape *shape, struct json_turns *out);
void json_turns_done(struct json_turns *t);
/* The string in a content that stands alone, or in a message of an answer, which must be valid JSON. False when there
 * is more in it than a text. */
bool json_turns_text(struct slice content, const struct json_turns_shape *shape, struct slice *text);

#ifdef __cplusplus
}
#endif
#endif
