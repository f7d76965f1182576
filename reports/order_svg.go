package reports

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/checkers"
)

const (
	orderWidth = 600
	orderLeft  = 260
	orderRow   = 22
	orderBox   = 16
)

// orderSVG draws the operations of a unit that no order explains: a row for each, with a box from its call to its answer, and in it its place
// in the longest order that explains some of them. Instants are as far apart as they come one after another, not as time passes:
// what matters is which operations overlap.
func orderSVG(calls []checkers.Ordered) template.HTML {
	if len(calls) == 0 {
		return ""
	}
	var instants []time.Duration
	for _, c := range calls {
		instants = append(instants, c.Begin, c.End)
	}
	slices.Sort(instants)
	instants = slices.Compact(instants)
	step := float64(orderWidth-orderLeft-storyRight) / float64(max(1, len(instants)-1))
	x := func(t time.Duration) float64 {
		n, _ := slices.BinarySearch(instants, t)
		return orderLeft + float64(n)*step
	}
	height := orderRow*len(calls) + 4

	var s strings.Builder
	fmt.Fprintf(&s, `<svg class="story-svg" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="operations and their places in the longest order" font-family="system-ui,sans-serif" font-size="11">`,
		orderWidth, height, orderWidth, height)
	for i, c := range calls {
		top := orderRow*i + (orderRow-orderBox)/2 + 2
		x0, x1 := x(c.Begin), max(x(c.End), x(c.Begin)+4)
		says := strings.TrimSpace(line(c.Op) + " " + line(c.Says))
		class, ink, dash, place := "box", inkPlain, "", fmt.Sprint(c.Place)
		title := fmt.Sprintf("%s, %s to %s: %s", line(c.Who), at(c.Begin), at(c.End), says)
		if c.Open {
			dash = ` stroke-dasharray="4 3"`
			title = fmt.Sprintf("%s, from %s: %s; nobody knows whether it happened", line(c.Who), at(c.Begin), says)
		}
		if c.Place == 0 {
			place = ""
			if !c.Open { // what nobody knows of may simply not have happened
				class, ink, place = "box proof", inkProof, "✗"
			}
		}
		fmt.Fprintf(&s, `<line class="rule" x1="%d" x2="%d" y1="%d" y2="%d" stroke="%s"/>`, orderLeft, orderWidth-storyRight, top+orderBox/2, top+orderBox/2, inkLine)
		fmt.Fprintf(&s, `<text class="mut" x="%d" y="%d" fill="%s" text-anchor="end">%s</text>`, orderLeft-10, top+12, inkMuted,
			template.HTMLEscapeString(short(line(c.Who)+", "+says, 40)))
		fmt.Fprintf(&s, `<g class="%s"><rect x="%.1f" y="%d" width="%.1f" height="%d" rx="3" fill="%s" stroke="%s"%s/>`,
			class, x0, top, x1-x0, orderBox, ink, ink, dash)
		fmt.Fprintf(&s, `<text x="%.1f" y="%d" fill="#fff" text-anchor="middle">%s</text><title>%s</title></g>`,
			(x0+x1)/2, top+12, place, template.HTMLEscapeString(clip(title, 300)))
	}
	s.WriteString("</svg>")
	return template.HTML(s.String())
}
