#!/usr/bin/python3
"""A workflow in WfFormat (1.3 to 1.5) as a graph file for `jobsubmit -f`.

    wfformat.py [--scale S] [--least SECONDS] [--slots N] FILE

Each task sleeps as long as it ran, times S (at least SECONDS), and leaves its name as its result. With --slots no graph is
written but three numbers: how long it takes at best on N slots, its critical path, and its total work over N."""

import argparse
import json
import sys


def tasks_of(document):
    workflow = document["workflow"]
    specification = workflow.get("specification", {})
    tasks = specification.get("tasks") or workflow.get("tasks") or workflow.get("jobs")
    ran = {t["id"]: t for t in workflow.get("execution", {}).get("tasks", [])}
    by_name = {}
    for task in tasks:
        by_name.setdefault(task["name"], task.get("id", task["name"]))
    for task in tasks:
        key = task.get("id", task["name"])
        times = ran.get(key, task)
        seconds = times.get("runtimeInSeconds", times.get("runtime", 0))
        parents = [p if p in ran else by_name.get(p, p) for p in task.get("parents", [])]
        yield key, float(seconds), list(dict.fromkeys(parents))


def best(tasks, slots):
    ends = {}
    left = list(tasks)
    while left:
        later = []
        for key, seconds, parents in left:
            if all(p in ends for p in parents):
                ends[key] = seconds + max((ends[p] for p in parents), default=0.0)
            else:
                later.append((key, seconds, parents))
        if len(later) == len(left):
            sys.exit("wfformat: tasks wait for each other, or for one that is not there")
        left = later
    path = max(ends.values())
    work = sum(seconds for _, seconds, _ in tasks) / slots
    return max(path, work), path, work


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--least", type=float, default=0.0)
    parser.add_argument("--slots", type=int)
    parser.add_argument("file")
    args = parser.parse_args()
    with open(args.file, encoding="utf-8") as file:
        document = json.load(file)
    tasks = [(key, max(seconds * args.scale, args.least), parents) for key, seconds, parents in tasks_of(document)]
    if args.slots:
        print("%.3f %.3f %.3f" % best(tasks, args.slots))
        return
    text = 'sleep "$1"; printf \'{"task":"%s"}\' "$JOB_ENTRY" >"$JOB_RESULT"'
    graph = {
        "name": document.get("name", "workflow")[:200] or "workflow",
        "tasks": [
            {"name": key, "command": ["sh", "-c", text, "sh", "%.3f" % seconds], "after": ["ok:" + p for p in parents]}
            for key, seconds, parents in tasks
        ],
    }
    json.dump(graph, sys.stdout)
    print()


main()
