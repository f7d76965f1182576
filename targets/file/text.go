package file

import (
	"fmt"
	"strings"
)

// A text of the file may hold ${NAME}, which is replaced; $${ stands for ${ itself. A $ before anything else is no more than that.

// expand replaces the names in a text.
func expand(text string, lookup func(name string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			return b.String(), nil
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		b.WriteString(text[:i])
		name, rest, ok := strings.Cut(text[i+2:], "}")
		if !ok {
			return "", fmt.Errorf("${%s has no end: write ${NAME}, or $${ for the characters themselves", clip(name, 40))
		}
		v, known := lookup(name)
		if !known {
			return "", unknownName(name)
		}
		b.WriteString(v)
		text = rest
	}
}

type unknownName string

func (n unknownName) Error() string { return fmt.Sprintf("${%s} stands for nothing here", string(n)) }

// address gives a map's entries as names: prefix, prefix.host and prefix.port.
func address(names map[string]string, prefix, addr string) {
	host, port := "", ""
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		host, port = addr[:i], addr[i+1:]
	}
	names[prefix], names[prefix+".host"], names[prefix+".port"] = addr, host, port
}

func in(names map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := names[name]
		return v, ok
	}
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
