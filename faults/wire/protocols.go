package wire

// Lookup finds a protocol by the name that an edge gives it. Edges of others are carried without being understood.
func Lookup(name string) (Protocol, bool) {
	for _, p := range []Protocol{HTTP, NATS, Postgres, RESP, AMQP} {
		if p.Name == name {
			return p, true
		}
	}
	return Protocol{}, false
}
