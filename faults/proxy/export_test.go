package proxy

import "github.com/wreckon/wreckon/faults"

// Open counts the connections of a link, those of probes too.
func Open(l faults.Link) int {
	h, ok := l.(*handle)
	if !ok {
		h = l.(padded).handle
	}
	link := h.link
	link.mu.Lock()
	defer link.mu.Unlock()
	return len(link.conns)
}
