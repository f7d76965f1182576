package compose

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wreckon/wreckon/targets"
)

// Party is somebody whom services may connect to: a service, or somebody whom the harness plays.
type Party struct {
	Name  string
	Names []string // by which it is found
}

// Edge is a connection that follows from the file.
type Edge struct {
	From, To string
	Protocol targets.Protocol
	Port     int // 0: the file does not say
}

// wellKnown are the ports by which servers are known.
var wellKnown = map[int]targets.Protocol{5432: targets.Postgres, 6379: targets.RESP, 4222: targets.NATS, 5672: targets.AMQP}

// images are servers that are known by what their image is called.
var images = map[string]int{"postgres": 5432, "postgis": 5432, "redis": 6379, "valkey": 6379, "nats": 4222, "rabbitmq": 5672}

// schemes are protocols that are known by how an address begins.
var schemes = map[string]targets.Protocol{
	"http": targets.HTTP, "postgres": targets.Postgres, "postgresql": targets.Postgres, "redis": targets.RESP, "valkey": targets.RESP,
	"nats": targets.NATS, "amqp": targets.AMQP,
}

// Port is the one that a service is known to serve, or 0.
func (s Service) Port() int {
	known := images[imageName(s.Container.Image)]
	switch {
	case known != 0:
		return known
	case len(s.Ports) == 1:
		return s.Ports[0]
	}
	for _, port := range s.Ports {
		if wellKnown[port] != "" {
			return port
		}
	}
	return 0
}

// Protocol is what is spoken at a port of a service.
func (s Service) Protocol(port int) targets.Protocol {
	if known := images[imageName(s.Container.Image)]; known != 0 && known == s.Port() {
		return wellKnown[known]
	}
	return wellKnown[port]
}

// imageName is what an image is called, without registry, owner and version.
func imageName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	image = image[strings.LastIndexByte(image, '/')+1:]
	image, _, _ = strings.Cut(image, ":")
	return image
}

// Reach tells whether two services share a network.
func (p *Project) Reach(a, b string) bool {
	one, ok := p.Find(a)
	other, also := p.Find(b)
	return ok && also && slices.ContainsFunc(one.Networks, func(n string) bool { return slices.Contains(other.Networks, n) })
}

// Edges are the connections that the file tells of: who depends on whom or links to it and shares a network with it, and who is told of somebody's
// address, in its environment or its command.
func (p *Project) Edges(others []Party) []Edge {
	var edges []Edge
	parties := others
	for _, s := range p.Services {
		if !slices.ContainsFunc(others, func(o Party) bool { return o.Name == s.Name }) {
			parties = append(parties[:len(parties):len(parties)], Party{s.Name, s.Names})
		}
	}
	for _, from := range p.Services {
		for _, to := range parties {
			_, service := p.Find(to.Name)
			if from.Name == to.Name || service && !p.Reach(from.Name, to.Name) {
				continue
			}
			e := Edge{From: from.Name, To: to.Name}
			if from.mentions(to, &e) || slices.Contains(from.Needs, to.Name) {
				edges = append(edges, e)
			}
		}
	}
	return edges
}

// hostKeys end the names of variables whose whole value is the name of somebody.
var hostKeys = regexp.MustCompile(`(?i)(HOST|HOSTNAME|SERVER|ADDR|ADDRESS|ENDPOINT|URL|BROKER)S?$`)

// mentions looks for an address of somebody: NAME:PORT, or SCHEME://NAME, or in a variable that is called so, the name alone.
func (s Service) mentions(to Party, e *Edge) (found bool) {
	for _, name := range to.Names {
		address := regexp.MustCompile(`(?:^|[\s,;=("']|([a-zA-Z][a-zA-Z0-9+.-]*)://)(?:[^\s,/@]*@)?` + regexp.QuoteMeta(name) + `(?::(\d{1,5}))?(?:$|[^\w.:-])`)
		for _, key := range slices.Sorted(maps.Keys(s.texts)) {
			text := s.texts[key]
			for _, m := range address.FindAllStringSubmatch(text, -1) {
				scheme, port := strings.ToLower(m[1]), m[2]
				if scheme == "" && port == "" && (text != name || !hostKeys.MatchString(key)) {
					continue
				}
				found = true
				if n, err := strconv.Atoi(port); err == nil && e.Port == 0 {
					e.Port = n
				}
				if e.Port == 0 && scheme == "http" {
					e.Port = 80
				}
				if known, ok := schemes[scheme]; ok {
					e.Protocol = known
				}
			}
		}
	}
	return found
}
