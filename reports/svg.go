package reports

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wreckon/wreckon/checkers"
)

// The pictures that need no script. Their colours are presentation attributes, so that they are drawn where a page's styles are
// blocked; where they are not, the classes let the page's theme win.

// bandColors are the Okabe-Ito colours of the faults' bands, in the order of the faults. page.css has the same list.
var bandColors = [...]string{"#d55e00", "#cc79a7", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#8d8d8d"}

const (
	inkMuted = "#66717e"
	inkLine  = "#d5dae0"
	inkPlain = "#0072b2"
	inkProof = "#c1121f"
)

// band is a fault's interval in a picture.
type band struct {
	id       string
	label    string
	from, to time.Duration
	color    int
	bites    []time.Duration // when it touched an exchange
}

const (
	storyWidth = 480
	storyLeft  = 96
	storyRight = 14
	storyLane  = 24
	storyMost  = 60 // lines of a story that are shown
)

// storySVG draws a story: a lane for everyone in it, the path of the unit through them, the proof in red, the faults as bands, and the
// exchanges at which they bit as marks between the two lanes of the edge.
func storySVG(title string, lines []checkers.StoryLine, bands []band) template.HTML {
	lanes, of := storyLanes(lines)
	if len(lanes) == 0 {
		return ""
	}
	from, to := lines[0].T, lines[0].T
	for _, l := range lines {
		from, to = min(from, l.T), max(to, l.T)
	}
	margin := max((to-from)/16, 500*time.Microsecond)
	from, to = from-margin, to+margin
	x := func(t time.Duration) float64 {
		f := float64(t-from) / float64(to-from)
		return storyLeft + min(1, max(0, f))*(storyWidth-storyLeft-storyRight)
	}
	var shown []band
	for _, b := range bands {
		if b.to > from && b.from < to {
			shown = append(shown, b)
		}
	}
	top := 6 + 14*min(len(shown), 2)
	if len(shown) > 2 { // no room for names: the ids do, in one row
		top = 20
	}
	bottom := top + storyLane*len(lanes)
	y := func(lane int) int { return top + storyLane*lane + storyLane/2 }

	var s strings.Builder
	fmt.Fprintf(&s, `<svg class="story-svg" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s" font-family="system-ui,sans-serif" font-size="11">`,
		storyWidth, bottom+22, storyWidth, bottom+22, template.HTMLEscapeString(line(title)))
	free := 0.0
	for i, b := range shown {
		x0, x1 := x(b.from), x(b.to)
		fill := bandColors[b.color%len(bandColors)]
		fmt.Fprintf(&s, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s" fill-opacity=".18"/>`, x0, top, max(2, x1-x0), bottom-top, fill)
		fmt.Fprintf(&s, `<rect x="%.1f" y="%d" width="%.1f" height="2" fill="%s"/>`, x0, top, max(2, x1-x0), fill)
		label, row, anchor := short(line(b.label), 44), 14+14*i, "start"
		if len(shown) > 2 {
			label, row = short(line(b.id), 8), 14
			if x0 < free {
				continue
			}
			free = x0 + 7*float64(cells(label)) + 4
		} else if x0 > storyWidth*.6 {
			x0, anchor = max(x1, x0+2), "end"
		}
		fmt.Fprintf(&s, `<text class="mut" x="%.1f" y="%d" fill="%s" text-anchor="%s">%s</text>`, x0, row, inkMuted, anchor, template.HTMLEscapeString(label))
	}
	for i, name := range lanes {
		fmt.Fprintf(&s, `<line class="rule" x1="%d" x2="%d" y1="%d" y2="%d" stroke="%s"/>`, storyLeft, storyWidth-storyRight, y(i), y(i), inkLine)
		fmt.Fprintf(&s, `<text class="mut" x="%d" y="%d" fill="%s" text-anchor="end">%s</text>`, storyLeft-10, y(i)+4, inkMuted, template.HTMLEscapeString(short(line(name), 14)))
	}
	axis(&s, from, to, x, top, bottom, 4)
	var path strings.Builder
	for i, l := range lines {
		if lane, ok := of[i]; ok {
			fmt.Fprintf(&path, "%s%.1f %d", map[bool]string{true: "M", false: "L"}[path.Len() == 0], x(l.T), y(lane))
		}
	}
	fmt.Fprintf(&s, `<path class="path" d="%s" fill="none" stroke="%s" stroke-opacity=".45"/>`, path.String(), inkMuted)
	for _, l := range lines {
		if a, b := laneOf(lanes, l.From), laneOf(lanes, l.To); isBite(l) && a >= 0 {
			drawBite(&s, l, x(l.T), y(a), y(max(b, 0)), biteColor(bands, l.Who), b >= 0)
		}
	}
	for _, proof := range []bool{false, true} { // the proof on top
		for i, l := range lines {
			lane, ok := of[i]
			if !ok || l.Proof != proof {
				continue
			}
			cls, r, fill := "dot", 3.5, inkPlain
			if proof {
				cls, r, fill = "dot proof", 5.5, inkProof
			}
			fmt.Fprintf(&s, `<circle class="%s" cx="%.1f" cy="%d" r="%g" fill="%s" stroke="#fff"><title>%s</title></circle>`,
				cls, x(l.T), y(lane), r, fill, template.HTMLEscapeString(clip(at(l.T)+" "+line(l.Who)+" "+line(l.Text), 300)))
		}
	}
	s.WriteString("</svg>")
	return template.HTML(s.String())
}

// isBite tells a line about an exchange at which a fault bit.
func isBite(l checkers.StoryLine) bool { return l.Fault && l.From != "" }

// drawBite draws the edge as a line between its two lanes, and on it a mark in the fault's colour. One end alone is marked in its lane.
func drawBite(s *strings.Builder, l checkers.StoryLine, x float64, from, to int, fill string, both bool) {
	mid := from
	if both {
		mid = (from + to) / 2
		fmt.Fprintf(s, `<line class="bite-edge" x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s" stroke-width="2"/>`, x, x, from, to, fill)
	}
	fmt.Fprintf(s, `<path class="bite" d="M%.1f %dl6 6l-6 6l-6 -6z" fill="%s" stroke="#fff" stroke-width="1.5"><title>%s</title></path>`,
		x, mid-6, fill, template.HTMLEscapeString(clip(at(l.T)+" "+line(l.Who)+" "+line(l.Text), 300)))
}

func biteColor(bands []band, id string) string {
	for _, b := range bands {
		if b.id == id {
			return bandColors[b.color%len(bandColors)]
		}
	}
	return bandColors[0]
}

// maxStoryLanes bounds a picture's height.
const maxStoryLanes = 24

// storyLanes are those who appear in a story, in the order in which they do; a fault has a band and no lane, but the components between
// which it bit have theirs.
func storyLanes(lines []checkers.StoryLine) (names []string, of map[int]int) {
	of = map[int]int{}
	add := func(name string) int {
		n := laneOf(names, name)
		if n < 0 && name != "" && len(names) < maxStoryLanes {
			n, names = len(names), append(names, name)
		}
		return n
	}
	for i, l := range lines {
		if isBite(l) {
			add(l.From)
			add(l.To)
			continue
		}
		if l.Fault || l.Who == "" {
			continue
		}
		if n := add(l.Who); n >= 0 {
			of[i] = n
		}
	}
	return names, of
}

// laneOf finds a lane by its name; -1 where there is none. The component that stands for the clients is whichever client is there.
func laneOf(lanes []string, name string) int {
	if n := slices.Index(lanes, name); n >= 0 || name != "client" {
		return n
	}
	return slices.IndexFunc(lanes, func(l string) bool { return strings.HasPrefix(l, "client ") })
}

// axis draws the ticks of a time axis, each with its label unless that would leave the picture.
func axis(s *strings.Builder, from, to time.Duration, x func(time.Duration) float64, top, bottom, about int) {
	step := niceStep(to-from, about)
	for t := (from + step - 1) / step * step; t <= to; t += step {
		if t < from {
			continue
		}
		fmt.Fprintf(s, `<line class="rule" x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s"/>`, x(t), x(t), top, bottom, inkLine)
		if x(t) < storyWidth-24 || about > 4 {
			fmt.Fprintf(s, `<text class="mut" x="%.1f" y="%d" fill="%s" text-anchor="middle">%s</text>`, x(t), bottom+15, inkMuted, tickLabel(t, step))
		}
	}
}

func tickLabel(t, step time.Duration) string {
	decimals := 0
	for s := step; s < time.Second && decimals < 6; s *= 10 {
		decimals++
	}
	return strconv.FormatFloat(t.Seconds(), 'f', decimals, 64) + " s"
}

// niceStep is 1, 2 or 5 times a power of ten that divides a range into about n.
func niceStep(d time.Duration, n int) time.Duration {
	rough := max(1, float64(d)/float64(n))
	m := math.Pow(10, math.Floor(math.Log10(rough)))
	switch q := rough / m; {
	case q > 5:
		m *= 10
	case q > 2:
		m *= 5
	case q > 1:
		m *= 2
	}
	return max(1, time.Duration(m))
}

func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

const (
	overviewWidth = 1000
	overviewBins  = 250
)

// overviewSVG draws the whole run: how many operations began in each stretch and how they ended, the faults, the findings. It
// stands in for the interactive charts where scripts do not run, and on paper.
func overviewSVG(set *rowSet, bands []band, marks []metaFinding) template.HTML {
	if set.end <= 0 {
		return ""
	}
	const top, bottom = 22, 122
	end := time.Duration(set.end)
	x := func(t time.Duration) float64 { return 10 + float64(t)/float64(end)*(overviewWidth-30) }
	var n [overviewBins][3]int
	most := 1
	for _, r := range set.rows {
		if r.class > classOpen {
			continue
		}
		b := min(overviewBins-1, int(r.t*overviewBins/set.end))
		n[b][min(int(r.class), 2)]++
		most = max(most, n[b][0]+n[b][1]+n[b][2])
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg class="overview-svg" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d 144" width="%d" height="144" role="img" aria-label="operations over the run, with the faults" font-family="system-ui,sans-serif" font-size="11">`, overviewWidth, overviewWidth)
	for i, b := range bands {
		x0, x1 := x(b.from), x(min(b.to, end))
		fill := bandColors[b.color%len(bandColors)]
		fmt.Fprintf(&s, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s" fill-opacity=".2"/>`, x0, top, max(2, x1-x0), bottom-top, fill)
		for _, t := range b.bites[:min(len(b.bites), overviewBins)] {
			fmt.Fprintf(&s, `<path class="bite" d="M%.1f %dl4 4l-4 4l-4 -4z" fill="%s" stroke="#fff"/>`, x(min(t, end)), top-4, fill)
		}
		fmt.Fprintf(&s, `<text class="mut" x="%.1f" y="%d" fill="%s">%s</text>`, x0, 9+10*(i%2), inkMuted, template.HTMLEscapeString(short(line(b.id), 12)))
	}
	w := float64(overviewWidth-30) / overviewBins
	var d [3]strings.Builder
	for i := range n {
		y := float64(bottom)
		for c := range d {
			h := float64(n[i][c]) / float64(most) * (bottom - top - 4)
			if h > 0 {
				y -= h
				fmt.Fprintf(&d[c], "M%.1f %.1fh%.1fv%.1fh-%.1fz", 10+float64(i)*w, y, w-.6, h, w-.6)
			}
		}
	}
	for c, fill := range []string{"#0072b2", "#d55e00", "#8d6fc4"} {
		if d[c].Len() > 0 {
			fmt.Fprintf(&s, `<path class="c%d" d="%s" fill="%s"/>`, c, d[c].String(), fill)
		}
	}
	for _, m := range marks {
		fmt.Fprintf(&s, `<rect class="proof" x="%.1f" y="%d" width="3" height="%d" fill="%s"/>`, x(time.Duration(m.T0))-1, top, bottom-top, inkProof)
	}
	axis(&s, 0, end, x, bottom, bottom+4, 10)
	s.WriteString("</svg>")
	return template.HTML(s.String())
}
