#!/usr/bin/env bash
# Draws build/bench.json: plot.sh [FILE.json] >FILE.svg. Left the no-op rate over the tasks that had finished before, right
# the latency of single tasks over the rate at which ever more clients submit them. No program but awk.
set -u -o pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit 70

sed -n 's/.*"name":"\([^"]*\)","value":\([0-9.]*\),.*/\1 \2/p' "${1:-build/bench.json}" | sort -t_ -k3,3n | awk '
        function text(x, y, anchor, what) {
                printf "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, what
        }
        function line(x1, y1, x2, y2, colour) {
                printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2, colour
        }
        function round_up(v, step) { # to 1, 2 or 5 times a power of ten
                for (step = 1; step * 10 <= v; step *= 10)
                        ;
                return v <= step ? step : v <= 2 * step ? 2 * step : v <= 5 * step ? 5 * step : 10 * step
        }
        function axis(x, top, what, unit, i) {
                text(x, 24, "start", what)
                for (i = 0; i <= 4; i++) {
                        line(x + 60, 260 - 50 * i, x + 440, 260 - 50 * i, i ? "#ddd" : "#555")
                        text(x + 54, 264 - 50 * i, "end", top * i / 4 unit)
                }
        }
        function curve(which, colour, i, name, x, y, points) {
                for (i = 1; i <= 64; i *= 2) {
                        name = "busy_" i "_"
                        if (!value[name "rate"]) continue
                        x = 570 + 350 * value[name "rate"] / wide
                        y = 260 - 200 * value[name which] / 1000 / top
                        points = points sprintf("%.1f,%.1f ", x, y)
                        printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x, y, colour
                }
                printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", points, colour
                text(x + 4, y - 8, "end", which)
        }
        $1 ~ /^rate_at_/ { n++; at[n] = substr($1, 9) / 1e6; rate[n] = $2; if ($2 > most) most = $2 }
        { value[$1] = $2 }
        END {
                print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 310\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">"
                print "<rect width=\"960\" height=\"310\" fill=\"#fff\"/>"
                top = round_up(most / 1000)
                axis(10, top, "no-op tasks a second, durable, over tasks finished before (millions)", "k")
                for (i = 1; i <= n; i++) {
                        x = 90 + 350 * (at[n] ? at[i] / at[n] : 0)
                        y = 260 - 200 * rate[i] / 1000 / top
                        points = points sprintf("%.1f,%.1f ", x, y)
                        printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"#1f6feb\"/>\n", x, y
                        text(x, 280, "middle", at[i])
                }
                printf "<polyline points=\"%s\" fill=\"none\" stroke=\"#1f6feb\" stroke-width=\"2\"/>\n", points
                for (i = 1; i <= 64; i *= 2) {
                        name = "busy_" i "_"
                        if (value[name "p99"] > slowest) slowest = value[name "p99"]
                        if (value[name "rate"] > fastest) fastest = value[name "rate"]
                }
                top = round_up(slowest / 1000)
                wide = round_up(fastest)
                axis(490, top, "submit to end known (ms), over single tasks a second (1 to 64 clients)", "")
                curve("p50", "#1f6feb")
                curve("p99", "#d1570b")
                for (i = 0; i <= 4; i++)
                        text(570 + 350 * i / 4, 280, "middle", wide * i / 4)
                print "</svg>"
        }'
