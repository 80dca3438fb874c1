"""Draws the boards from what Prometheus answered, for a look at them without Grafana.

    FRAUDSTREAM_PROMTOOL=promtool FRAUDSTREAM_PANELS=/some/folder go test ./deploy -run TestWatchedDemo
    python deploy/grafana/render.py /some/folder

needs matplotlib and writes a picture of each board into the folder. Titles, places, units, colours and queries are those
of the boards; fonts, legends and the look of each kind of panel are only near to Grafana's.
"""

import json
import math
import pathlib
import re
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib import ticker

FEATURE = "amount"  # that the test looks at
COLORS = ["#73BF69", "#F2CC0C", "#5794F2", "#FF9830", "#F2495C", "#B877D9", "#8AB8FF", "#96D98D", "#FFEE52", "#FFA6B0"]
NAMED = {"green": "#73BF69", "yellow": "#F2CC0C", "red": "#F2495C", "orange": "#FF9830", "blue": "#5794F2", "text": "#d8d9da",
         "semi-dark-green": "#56A64B", "semi-dark-blue": "#3274D9", "semi-dark-orange": "#FF780A", "semi-dark-red": "#E02F44"}


def unit(value, name):
    """A number as Grafana would write it, nearly."""
    if value is None or math.isnan(value):
        return "-"
    if name == "percentunit":
        return f"{100 * value:.3g} %"
    if name in ("s",):
        for factor, word in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
            if abs(value) >= factor:
                return f"{value / factor:.3g} {word}"
        return f"{value:.3g} s"
    if name in ("bytes", "Bps"):
        for factor, word in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
            if abs(value) >= factor:
                return f"{value / factor:.3g} {word}" + ("/s" if name == "Bps" else "")
        return f"{value:.3g} B"
    tail = {"eps": " evt/s", "ops": " ops/s"}.get(name, "")
    return f"{value:.4g}{tail}"


def answers(panel, board, folder):
    """(legend, labels, times, values) of each series of each query of a panel; times in seconds before the last one."""
    saved = json.loads((folder / f"{board['uid']}-{panel['id']}.json").read_text())
    out = []
    for target, answer in zip(panel["targets"], saved["answers"]):
        for series in (answer or {}).get("data", {}).get("result", []):
            labels = series["metric"]
            legend = target.get("legendFormat") or ", ".join(labels.values())
            legend = re.sub(r"{{(\w+)}}", lambda m: labels.get(m[1], ""), legend).strip()
            points = [(t - saved["end"], float(v)) for t, v in series["values"]]
            out.append((legend, labels, [p[0] for p in points], [p[1] for p in points]))
    return out


def marks(board, folder):
    """(color, time) of what the annotations mark: where each of their series begins."""
    saved = json.loads((folder / f"{board['uid']}-annotations.json").read_text())
    for mark, answer in zip(board["annotations"]["list"], saved["answers"]):
        for series in answer["data"]["result"]:
            yield NAMED[mark["iconColor"]], series["values"][0][0] - saved["end"]


def lines(axes, panel, data):
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults.get("custom", {})
    fixed = {o["matcher"]["options"]: o["properties"][0]["value"]["fixedColor"] for o in panel["fieldConfig"]["overrides"]}
    if "stacking" in custom and data:
        times = sorted({t for d in data for t in d[2]})
        rows = [[dict(zip(d[2], d[3])).get(t, 0) for t in times] for d in data]
        colors = [NAMED.get(fixed.get(d[0]), COLORS[i % len(COLORS)]) for i, d in enumerate(data)]
        axes.stackplot(times, rows, labels=[d[0] for d in data], colors=colors, alpha=0.5)
    else:
        for i, (legend, _, times, values) in enumerate(data):
            color = NAMED.get(fixed.get(legend), COLORS[i % len(COLORS)])
            axes.plot(times, values, color=color, lw=1.1, label=legend)
            if custom.get("fillOpacity", 0) >= 5:
                axes.fill_between(times, values, color=color, alpha=custom["fillOpacity"] / 100)
    for step in defaults.get("thresholds", {}).get("steps", []):
        if step.get("value") is not None:
            axes.axhline(step["value"], color=NAMED.get(step["color"], "r"), lw=0.8, ls="--")
    if defaults.get("min") is not None:
        axes.set_ylim(bottom=defaults["min"])
    if defaults.get("unit") in ("bytes", "Bps"):
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(ticker.MultipleLocator(2 ** math.ceil(math.log2(max(high - low, 1) / 6))))
    axes.yaxis.set_major_formatter(lambda v, _: unit(v, defaults.get("unit")))
    axes.grid(color="#2c3235", lw=0.5)
    if data:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncol=4, fontsize=5.5, frameon=False, labelcolor="#ccccdc")


def heat(axes, panel, data):
    data = sorted(data, key=lambda d: float(d[1]["le"]))
    times = sorted({t for d in data for t in d[2]})
    below, rows = [0] * len(times), []
    for _, _, at, values in data:
        row = [dict(zip(at, values)).get(t, 0) for t in times]
        rows.append([max(v - b, 0) ** 0.5 for v, b in zip(row, below)])
        below = row
    extent = (times[0], times[-1], -0.5, len(data) - 0.5) if times else None
    axes.imshow(rows, aspect="auto", origin="lower", cmap="Blues_r", interpolation="nearest", extent=extent)
    axes.set_yticks(range(len(data)), [d[1]["le"] for d in data], fontsize=5)


def stat(axes, panel, data):
    axes.axis("off")
    defaults = panel["fieldConfig"]["defaults"]
    last = data[0][3][-1] if data else float("nan")
    color = "text"
    for step in defaults["thresholds"]["steps"]:
        if step.get("value") is None or last >= step["value"]:
            color = step["color"]
    axes.text(0.5, 0.5, unit(last, defaults.get("unit")), ha="center", va="center", fontsize=20, color=NAMED.get(color, color))


def table(axes, panel, data):
    axes.axis("off")
    organize = panel["transformations"][0]["options"]
    names = [n for n in [*data[0][1], "Value"] if n not in organize["excludeByName"]] if data else []
    names.sort(key=lambda n: organize.get("indexByName", {}).get(n, 0))
    rows = [[({**d[1], "Value": f"{d[3][-1]:g}"})[n][:16] for n in names] for d in data][:6]
    if rows:
        t = axes.table(cellText=rows, colLabels=[organize["renameByName"].get(n, n) for n in names], loc="center")
        t.set_fontsize(7)
        for cell in t.get_celld().values():
            cell.set_facecolor("#181b1f")
            cell.set_edgecolor("#2c3235")
            cell.get_text().set_color("#ccccdc")


def timeline(axes, panel, data):
    begin = min((d[2][0] for d in data if d[2]), default=-1)
    for row, (legend, _, times, values) in enumerate(data):
        for t, v in zip(times, values):
            axes.barh(row, 1, left=t, color=NAMED["red" if v else "green"], height=0.8)
        axes.text(begin, row, " " + legend, color="#111217", fontsize=7, va="center")
    axes.set_xlim(begin, 0)
    axes.set_yticks([])


def bars(axes, panel, data):
    live = {d[1]["cell"]: d[3][-1] for d in data if "live" in d[0]}
    training = {d[1]["cell"]: d[3][-1] for d in data if "training" in d[0]}
    cells = sorted(training)
    axes.bar([i - 0.2 for i in range(len(cells))], [live.get(c, 0) for c in cells], 0.4, color=COLORS[0], label="live, last hour")
    axes.bar([i + 0.2 for i in range(len(cells))], [training[c] for c in cells], 0.4, color=COLORS[1], label="training")
    axes.set_xticks(range(len(cells)), cells, fontsize=5)
    axes.yaxis.set_major_formatter(lambda v, _: unit(v, "percentunit"))
    axes.legend(fontsize=6, frameon=False, labelcolor="#ccccdc")


KINDS = {"timeseries": lines, "heatmap": heat, "stat": stat, "table": table, "state-timeline": timeline, "barchart": bars}


def draw(board, folder):
    rows = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in board["panels"])
    episodes = list(marks(board, folder))
    figure = plt.figure(figsize=(17, rows * 0.36), facecolor="#111217")
    for panel in board["panels"]:
        g, title = panel["gridPos"], panel["title"].replace("$feature", FEATURE)
        left, width = g["x"] / 24, g["w"] / 24
        bottom, height = 1 - (g["y"] + g["h"]) / rows, g["h"] / rows
        if panel["type"] == "row":
            figure.text(left + 0.005, bottom + height / 3, "▾ " + title, color="#ccccdc", fontsize=9, weight="bold")
            continue
        axes = figure.add_axes([left + 0.035, bottom + 0.22 * height, width - 0.045, height * 0.62], facecolor="#181b1f")
        axes.tick_params(colors="#9fa7b3", labelsize=6)
        for spine in axes.spines.values():
            spine.set_color("#2c3235")
        figure.text(left + 0.008, bottom + height * 0.9, title, color="#ccccdc", fontsize=8)
        KINDS[panel["type"]](axes, panel, answers(panel, board, folder))
        if panel["type"] in ("timeseries", "heatmap"):
            for color, at in episodes:
                axes.axvline(at, color=color, lw=0.8, ls=":")
    figure.savefig(folder / f"{board['uid']}.png", dpi=95, facecolor=figure.get_facecolor())
    plt.close(figure)


if __name__ == "__main__":
    for path in sorted((pathlib.Path(__file__).parent / "dashboards").glob("*.json")):
        draw(json.loads(path.read_text()), pathlib.Path(sys.argv[1]))
