#!/usr/bin/env bash
# Draws build/bench.json: plot.sh [FILE.json] >FILE.svg. Left the no-op rate over the tasks that had finished before, right
# the latency of a task submitted alone. No program but awk.
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
                n = split("latency_p50 latency_p99 load_p50 load_p99 whole_p50 whole_p99", names, " ")
                split("p50|p99|p50|p99|p50|p99", labels, "|")
                for (i = 1; i <= n; i++)
                        if (value[names[i]] > slowest)
                                slowest = value[names[i]]
                top = round_up(slowest / 1000)
                axis(490, top, "submit until its end is known, one no-op task (ms)", "")
                for (i = 1; i <= n; i++) {
                        v = value[names[i]] / 1000
                        x = 570 + 62 * (i - 1)
                        h = 200 * v / top
                        printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"36\" height=\"%.1f\" fill=\"%s\"/>\n", x, 260 - h, h, i % 2 ? "#1f6feb" : "#9ec1f7"
                        text(x + 18, 255 - h, "middle", sprintf("%.1f", v))
                        text(x + 18, 280, "middle", labels[i])
                }
                text(619, 298, "middle", "client, idle")
                text(743, 298, "middle", "client, array running")
                text(867, 298, "middle", "jobsubmit --wait")
                print "</svg>"
        }'
