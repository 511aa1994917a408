/* Options of a job as members of a JSON object: keys are the long option names with _ for -, values are as on the
 * command line or native JSON. Used for the lines of --from and for the tasks of a graph file.
 *
 *   a flag                 true or false
 *   a value                a string or a number; a list is joined by commas: "ok_codes": [0, 3]
 *   may be given often     one value, or a list of them; K=V also as an object: "env": {"LANG": "C"}
 *   null                   as if the key were not there */
#ifndef CLI_JSON_OPTIONS_H
#define CLI_JSON_OPTIONS_H

#include "base/opt.h"
#include "proto/json_scan.h"

/* Texts that values point to; {0} is empty. */
struct json_texts {
        char **list;
        size_t n, cap;
};
const char *json_texts_keep(struct json_texts *texts, struct buf *take_text); /* lives as long as *texts */
void json_texts_done(struct json_texts *texts);
#define CLEANUP_JSON_TEXTS __attribute__((cleanup(json_texts_done)))

/* An object of a text that json_scan has read. */
struct json_object {
        const char *text;
        const struct json_token *list;
        size_t at; /* of the object's own token */
        const char *path; /* in front of errors: "line 3", "tasks[7]" */
        const char *const *own; /* keys that the caller reads itself, ends with NULL; never NULL itself */
};

/* Append the object's options to *opts, which has its program; keys that are `own` are passed over. BAD_DATA names
 * path and key and gives an example; a key that is no option, or one for the whole command such as --wait, is refused. */
int json_options(const struct json_object *object, struct opts *opts, struct json_texts *texts,
                 struct err *err) MUST_CHECK;
/* The value of a key of the object; 0: it is not there. */
size_t json_object_find(const struct json_object *object, const char *key);
/* A list of strings (no number, no null) as words; the same texts keep them. BAD_DATA otherwise. */
int json_words(const struct json_object *object, const char *key, size_t at, struct opts *opts,
               struct json_texts *texts, struct err *err) MUST_CHECK;

#endif
