#!/usr/bin/python3
"""The tables of common/proto/PROTOCOL.md, made from the .def files.

Without arguments: compare, print what differs, exit 1 if anything does. With --write: bring the page up to date.
A field needs a meaning: a comment of its own in messages.def, or a row of its name in the page's table of members that
mean the same everywhere."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTO = ROOT / "common/proto"
PAGE = PROTO / "PROTOCOL.md"
KINDS = {
    "U64": "integer", "I64": "integer", "BOOL": "boolean", "STR": "string", "NAME": "name", "STRS": "strings",
    "INTS": "integers", "RANGES": "ranges", "JSON": "JSON",
}
NUMBERS = {"ID_MAX": "2^53-1", "9007199254740991": "2^53-1"}
DIRECTIONS = {"C2S": "client to coordinator", "S2C": "coordinator to client", "W2S": "worker to coordinator",
              "S2W": "coordinator to worker"}


def comment_of(text):
    return " ".join(line.strip().removeprefix("* ") for line in text.strip().split("\n"))


def arguments_of(text):
    return [quoted if quote else bare for quote, quoted, bare in re.findall(r'\s*(?:(")([^"]*)"|([^,"]+))', text)]


def rows_of(name, macro):
    """(arguments, comment) of each MACRO(...) line of a .def file."""
    text = (PROTO / name).read_text()
    pattern = re.compile(r"^%s\(((?:[^()\"]|\"[^\"]*\")*)\)(?:\s*/\*(.*?)\*/)?" % macro, re.M | re.S)
    for match in pattern.finditer(text):
        yield arguments_of(match.group(1)), comment_of(match.group(2) or "")


def read_messages():
    """[(macro, arguments, comment, fields)], in the order of the file."""
    text = (PROTO / "messages.def").read_text()
    head = text.index("*/") + 2
    pattern = re.compile(
        r"(?P<before>(?:^/\*(?:(?!\*/).)*?\*/\n)?)^(?P<macro>MSG|REC|FIELD|FIELD_ENUM|FIELD_REC|FIELD_RECS)"
        r"\((?P<args>(?:[^()\"]|\"[^\"]*\")*)\)(?:[ \t]*/\*(?P<after>.*?)\*/)?", re.M | re.S)
    owners = []
    for match in pattern.finditer(text, head):
        macro = match["macro"]
        arguments = arguments_of(match["args"])
        before = match["before"].strip()[2:-2] if match["before"] and "-----" not in match["before"] else ""
        comment = comment_of((match["after"] or "") + (" " + before if before and macro in ("MSG", "REC") else ""))
        if macro in ("MSG", "REC"):
            owners.append((macro, arguments, comment, []))
        else:
            owners[-1][3].append((macro, arguments, comment))
    return owners


def number(text):
    return NUMBERS.get(text, text)


def value_of(macro, arguments):
    """What stands in the JSON, and its bounds."""
    if macro == "FIELD_ENUM":
        return "word of [%s](#%s)" % (arguments[2], arguments[2]), ""
    if macro == "FIELD_REC":
        return "[%s](#%s)" % (arguments[2], arguments[2]), ""
    if macro == "FIELD_RECS":
        return "array of [%s](#%s)" % (arguments[2], arguments[2]), "%s … %s elements" % (arguments[4], arguments[5])
    kind, least, most = arguments[2], number(arguments[4]), number(arguments[5])
    if kind == "BOOL":
        return "boolean", ""
    unit = {"STR": " bytes", "NAME": " bytes", "JSON": " bytes", "STRS": " elements", "INTS": " elements",
            "RANGES": " elements"}.get(kind, "")
    return KINDS[kind], ("%s%s" % (least, unit) if least == most else "%s … %s%s" % (least, most, unit))


def field_rows(owner, fields, common, missing):
    if not fields:
        return ["No members beside the header's.", ""]
    lines = ["| member | | value | bounds | meaning |", "|---|---|---|---|---|"]
    for macro, arguments, comment in fields:
        name = arguments[1]
        presence = arguments[3]
        value, bounds = value_of(macro, arguments)
        if not comment and name in common:
            comment = "see above"
        if not comment:
            missing.append("%s.%s" % (owner, name))
        lines.append("| `%s` | %s | %s | %s | %s |" % (name, "must" if presence == "REQ" else "may", value, bounds,
                                                  comment.replace("|", "\\|")))
    return lines + [""]


def messages_text(common, missing):
    owners = read_messages()
    permissions = {row[0]: row[1] for row, _ in rows_of("permissions.def", "PERMISSION")}
    bodies = {row[0]: row[1] for row, _ in rows_of("bodies.def", "BODY")}
    lines = ["### Records", ""]
    for macro, arguments, comment, fields in owners:
        if macro == "REC":
            lines += ["#### %s" % arguments[0], "", sentence(comment), ""]
            lines += field_rows(arguments[0], fields, common, missing)
    for direction, title in DIRECTIONS.items():
        lines += ["### Messages, %s" % title, ""]
        for macro, arguments, comment, fields in owners:
            if macro != "MSG" or arguments[3] != direction:
                continue
            kind, kind_type, op = arguments[0], arguments[1], arguments[2]
            lines += ["#### %s" % kind, "", "`\"type\":\"%s\",\"op\":\"%s\"`" % (kind_type, op), ""]
            if comment:
                lines += [sentence(comment), ""]
            facts = []
            if direction == "C2S":
                facts.append("Permission: %s." % ("none" if arguments[4] == "NONE" else "`%s`" % permissions[arguments[4]]))
            if kind in bodies:
                facts.append("Body: %s." % bodies[kind])
            facts.append("[Example](examples/%s.json)." % kind)
            lines += [" ".join(facts), ""] + field_rows(kind, fields, common, missing)
    return lines


def sentence(text):
    text = text[:1].upper() + text[1:]
    return text if not text or text[-1] in ".:" else text + "."


def table(title, head, rows):
    return ["#### %s" % title, "", "| %s |" % " | ".join(head), "|%s" % ("---|" * len(head))] + \
           ["| %s |" % " | ".join(str(c).replace("|", "\\|") for c in row) for row in rows] + [""]


def words_text():
    lines = []
    lines += table("task_status", ["word", "final"], [("`%s`" % r[2], "yes" if r[3] == "1" else "no")
                   for r, _ in rows_of("task_status.def", "TASK_STATUS")])
    lines += table("task_reason", ["word", "meaning"], [("`%s`" % r[2], r[3]) for r, _ in
                   rows_of("task_reason.def", "TASK_REASON") if r[2]])
    lines += table("task_type", ["word", "arguments", "what they are"],
                   [("`%s`" % r[2], "%s … %s" % (r[3], r[4]), r[5]) for r, _ in rows_of("task_types.def", "TASK_TYPE")])
    lines += table("permission", ["word", "scopes", "meaning"], [("`%s`" % r[1], " ".join(
                   {"O": "own", "R": "role", "A": "any"}[c] for c in r[2]), r[3])
                   for r, _ in rows_of("permissions.def", "PERMISSION")])
    permissions = {r[0]: r[1] for r, _ in rows_of("permissions.def", "PERMISSION")}
    lines += table("list_kind", ["word", "permission", "rows"], [("`%s`" % r[1], permissions[r[2]], c or "")
                   for r, c in rows_of("list_kinds.def", "LIST_KIND")])
    text = (PROTO / "words.def").read_text()
    for match in re.finditer(r"^SET\((\w+)\)\n(.*?)^END_SET", text, re.M | re.S):
        words = re.findall(r'^WORD\(\w+, \w+, \d+, "([^"]*)"\)', match.group(2), re.M)
        lines += ["#### %s" % match.group(1), "", " ".join("`%s`" % w for w in words), ""]
    codes = {}
    text = (ROOT / "common/base/err_codes.def").read_text()
    for name, exit_code, word, meaning in re.findall(r'^ERR_CODE\((\w+), (\d+), "([^"]*)", "([^"]*)"\)', text, re.M):
        if name == word and name != "OK":
            codes[word] = meaning
    lines += table("err_word", ["word", "meaning"], [("`%s`" % w, m) for w, m in codes.items()])
    return lines


def limits_text():
    text = "\n".join((PROTO / n).read_text() for n in ("msg.h", "json_scan.h", "msg_fields.h", "array_text.h"))

    def constant(name):
        value = re.search(r"#define %s (.+?)(?:\s*/\*.*)?$" % name, text, re.M).group(1)
        value = re.sub(r"\(size_t\)|UINT64_C|INT64_C", "", value)
        return eval(value, {}, {})  # our own constants

    rows = [("bytes of the header frame", "MSG_HEADER_MAX"), ("bytes of the body frame", "MSG_BODY_MAX"),
            ("bytes of one chunk of entries or of an input", "MSG_CHUNK_MAX"), ("nesting of arrays and objects", "MSG_DEPTH_MAX"),
            ("values in one header", "JSON_TOKENS_MAX"), ("members of one object", "JSON_MEMBERS_MAX"),
            ("bytes of a member's name", "JSON_KEY_MAX"), ("bytes of one string of `strings`", "MSG_STRS_ELEMENT_MAX"),
            ("tasks of one job", "ARRAY_TASKS_MAX"), ("largest index", "ARRAY_INDEX_MAX")]
    return table("", ["what", "at most"], [(what, constant(name)) for what, name in rows])[2:]


def common_members(page):
    """Names in the page's own table of members that mean the same everywhere."""
    part = page.split("<!-- common members -->")[1].split("<!-- end -->")[0]
    return set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| ([^|]*) \|", part, re.M))))


def replace_section(page, name, lines):
    begin, end = "<!-- made: %s -->" % name, "<!-- end made -->"
    head, rest = page.split(begin, 1)
    _, tail = rest.split(end, 1)
    return head + begin + "\n\n" + "\n".join(lines).rstrip() + "\n\n" + end + tail


def main():
    page = PAGE.read_text()
    missing = []
    made = replace_section(page, "messages", messages_text(common_members(page), missing))
    made = replace_section(made, "words", words_text())
    made = replace_section(made, "limits", limits_text())
    for name in missing:
        print("messages.def: no meaning for %s" % name)
    if "--write" in sys.argv[1:]:
        PAGE.write_text(made)
        return 1 if missing else 0
    if made != page:
        print("PROTOCOL.md differs from the .def files; run tests/lint/protocol_tables.py --write")
        return 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
