#!/usr/bin/python3
"""A workflow in WfFormat (1.1 to 1.5) as a graph file: what `jobsubmit -f FILE --wf-scale X` makes of it, read a second time.

    wfformat.py [--scale X] [--slots N] [--edges] FILE

Each task sleeps as long as it ran, times X. With --edges a line CHILD<TAB>PARENT for each edge is written instead; with --slots
three numbers: how long it takes at best on N slots, its critical path, and its total work over N."""

import argparse
import json
import sys


def tasks_of(document):
    workflow = document["workflow"]
    specification = workflow.get("specification", {})
    tasks = specification.get("tasks") or workflow.get("tasks") or workflow.get("jobs")
    ran = {t["id"]: t for t in workflow.get("execution", {}).get("tasks", [])}
    keys = [task.get("id", task.get("name")) for task in tasks]
    place = {key: number for number, key in enumerate(keys)}
    by_name = {}
    for key, task in zip(keys, tasks):
        by_name.setdefault(task.get("name"), key)
    parents = {key: set() for key in keys}
    for key, task in zip(keys, tasks):
        for parent in task.get("parents") or []:
            parents[key].add(parent if parent in place else by_name[parent])
        for child in task.get("children") or []:
            parents[child if child in place else by_name[child]].add(key)
    for key, task in zip(keys, tasks):
        times = ran.get(key, task)
        seconds = times.get("runtimeInSeconds", times.get("runtime", 0))
        yield key, float(seconds), sorted(parents[key], key=place.get)


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
    parser.add_argument("--slots", type=int)
    parser.add_argument("--edges", action="store_true")
    parser.add_argument("file")
    args = parser.parse_args()
    with open(args.file, encoding="utf-8") as file:
        document = json.load(file)
    tasks = [(key, seconds * args.scale, parents) for key, seconds, parents in tasks_of(document)]
    if args.slots:
        print("%.3f %.3f %.3f" % best(tasks, args.slots))
        return
    if args.edges:
        for key, _, parents in tasks:
            for parent in parents:
                print(key, parent, sep="\t")
        return
    graph = {
        "name": document.get("name") or "workflow",
        "defaults": {"type": "sleep"},
        "tasks": [
            {"name": key, "command": ["%.6f" % seconds], "after": ["ok:" + p for p in parents]}
            for key, seconds, parents in tasks
        ],
    }
    json.dump(graph, sys.stdout)
    print()


main()
