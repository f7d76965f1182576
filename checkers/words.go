package checkers

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wreckon/wreckon/history"
)

// clip bounds text of a target to n bytes of printable characters: it may hold anything, and ten megabytes of it.
func clip(s string, n int) string {
	cut := len(s) > n
	if cut {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, s)
	if cut {
		return s + "…"
	}
	return s
}

// when writes an instant as people read it: 2.104s.
func when(t time.Duration) string { return fmt.Sprintf("%.3fs", t.Seconds()) }

// amount writes the value of an effect: whole cents as money, anything else as it is.
func amount(value string) string {
	if len(value) == 0 || len(value) > 15 {
		return clip(value, 60)
	}
	for _, d := range value {
		if d < '0' || d > '9' {
			return clip(value, 60)
		}
	}
	cents, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return clip(value, 60)
	}
	return fmt.Sprintf("%d.%02d", cents/100, cents%100)
}

// instance says one effect of a step within a sentence: "49.90 at 2.104s".
func (c *Case) instance(i uint32) string {
	at := "at " + when(c.at(i))
	if a := amount(c.str(c.H.Value[i])); a != "" {
		return a + " " + at
	}
	return at
}

func stepName(s history.Step) string {
	if s.Name == "" {
		return "effect"
	}
	return clip(s.Name, 60)
}

// was says what a step did to its unit: "was charged"; without a verb, "had its charge".
func was(s history.Step) string {
	if s.Does != "" {
		return "was " + s.Does
	}
	return "had its " + stepName(s)
}

// wasUndone says what undoing a step did to its unit: "was refunded".
func wasUndone(s history.Step) string {
	if s.Undoes != "" {
		return "was " + s.Undoes
	}
	return "had its " + stepName(s) + " undone"
}

// did is the verb of a step, for a story: "charged".
func did(s history.Step, undo bool) string {
	switch {
	case undo && s.Undoes != "":
		return s.Undoes
	case undo:
		return "undid " + stepName(s)
	case s.Does != "":
		return s.Does
	}
	return "did " + stepName(s)
}

// times writes how often.
func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return strconv.Itoa(n) + " times"
}

// list joins words as a sentence does: "a, b and c".
func list(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}

// count writes a number of things: "1 order", "412 orders".
func (c *Case) count(n int) string {
	if n == 1 {
		return "1 " + c.noun
	}
	return strconv.Itoa(n) + " " + c.nouns
}

// stateOf is the name of the state a unit was observed in at the end.
func (c *Case) stateOf(u int) string {
	if f := c.units[u].final; f != none {
		s, _, _ := strings.Cut(c.str(c.H.Value[f]), "|")
		return clip(s, 60)
	}
	return "absent"
}

// took says that an effect or an execution took place: "order o-1 was charged 49.90 at 2.104s".
func (c *Case) took(i uint32) string {
	if c.H.Kind[i] == history.KindStart {
		return fmt.Sprintf("%s began %s at %s", c.holder(i), c.whose(i), when(c.at(i)))
	}
	if c.col[i] == history.NoUnit {
		return fmt.Sprintf("%s landed at %s", c.whose(i), when(c.at(i)))
	}
	return c.happened(int(c.col[i]), []uint32{i})
}

// whose says what an event of a step is about: "the charge of order o-1".
func (c *Case) whose(i uint32) string {
	text := "the " + stepName(history.Step{Name: c.str(c.H.Step[i])})
	if u := c.col[i]; u != history.NoUnit {
		text += " of " + c.name(int(u))
	}
	return text
}

// holder says who did it: "payments-2".
func (c *Case) holder(i uint32) string {
	name := clip(c.str(c.H.Comp[i]), 60)
	if name == "" {
		name = "a worker"
	}
	if actor := c.H.Actor[i]; actor > 0 {
		name += fmt.Sprintf(" %d", actor)
	}
	return name
}

// unitOf is the unit of an event as suspects have it; -1 where it has none.
func (c *Case) unitOf(i uint32) int {
	if u := c.col[i]; u != history.NoUnit {
		return int(u)
	}
	return -1
}
