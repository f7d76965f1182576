package file

import (
	"slices"

	"github.com/wreckon/wreckon/internal/container"
	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/targets/compose"
)

// compose reads the compose file that a target file names. Its services become components, and what they tell of one another edges; what the target
// file says beside that counts for more. A service that is called like a sink is played by Wreckon, and not started.
func (c *checker) compose() {
	if c.Compose == "" {
		c.whole()
		return
	}
	project, problems := compose.Load(c.path(c.Compose), compose.Options{Profiles: c.Profiles, Variables: c.Variables})
	if len(problems) > 0 {
		c.Problems = append(c.Problems, problems...)
		return
	}
	if c.Components == nil {
		c.Components = map[string]component{}
	}
	var names []string
	for _, s := range project.Services {
		if _, sink := c.Sinks[s.Name]; sink {
			continue
		}
		of := c.Components[s.Name]
		of.service, of.said = &s, of.Port != 0
		if !of.said {
			of.Port = s.Port()
		}
		if s.Container.Once && of.Faults == nil {
			of.Faults = &[]string{} // it has ended
		}
		c.Components[s.Name] = of
		names = append(names, s.Name)
		if !nameForm.MatchString(s.Name) {
			c.Problems = append(c.Problems, project.Wrong(s.Name, "", "service %s cannot be a component: use small letters and digits, joined by single hyphens",
				document.Quote(s.Name))...)
		}
	}
	for _, name := range c.names {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if of, ok := c.Components[name]; ok && of.service == nil && of.Address == "" && of.Container == nil {
			c.wrong(at("components", name), "", "%v", project.Named(name))
		}
	}
	c.names = names
	c.derive(project)
}

// whole says what a file without a compose file must have.
func (c *checker) whole() {
	for key, there := range map[string]bool{"components": len(c.Components) > 0, "edges": len(c.definition.Edges) > 0} {
		if !there {
			c.Problem(c.root, "a target file has no %s", key)
		}
	}
	for key, there := range map[string]bool{"profiles": len(c.Profiles) > 0, "variables": len(c.Variables) > 0} {
		if there {
			c.wrong(at(key), "", "%s are those of a compose file: say which, as in compose: compose.yaml", key)
		}
	}
	for name, of := range c.Components {
		if of.Port != 0 {
			c.wrong(at("components", name, "port"), "", "port is for a service of a compose file: %s serves at ${listen}, which Wreckon chooses", name)
		}
	}
}

// derive adds the edges that follow from the compose file, and fills in what is left open of those that are declared.
func (c *checker) derive(project *compose.Project) {
	var sinks []compose.Party
	for _, name := range c.sinkNames() {
		sinks = append(sinks, compose.Party{Name: name, Names: c.namesOf(name)})
	}
	ports := map[string]int{}
	for _, e := range project.Edges(sinks) {
		if _, sink := c.Sinks[e.From]; sink {
			continue
		}
		if e.Port != 0 && ports[e.To] == 0 {
			ports[e.To] = e.Port // who dials knows best
		}
		if !slices.ContainsFunc(c.Edges, func(d edge) bool { return d.From == e.From && d.To == e.To }) {
			c.Edges = append(c.Edges, edge{From: e.From, To: e.To, Protocol: e.Protocol, derived: true})
		}
	}
	c.settle(project, ports)
	c.Edges = slices.DeleteFunc(c.Edges, func(e edge) bool { // one waits for the other, and nobody knows that it dials it
		return e.derived && c.portOf(e.To) == 0
	})
	for i, e := range c.Edges {
		if c.portOf(e.To) == 0 && c.known(e.To) {
			c.wrong(at("edges", i), "", "nobody says at which port %s serves: say it, as in components: {%s: {port: 8080}}", e.To, e.To)
		}
		if from, to := c.Components[e.From].service, c.Components[e.To].service; from != nil && to != nil && !project.Reach(e.From, e.To) {
			c.wrong(at("edges", i), "", "%s and %s share no network in %s", e.From, e.To, c.Compose)
		}
	}
}

// settle decides on ports and protocols.
func (c *checker) settle(project *compose.Project, ports map[string]int) {
	for name, of := range c.Components {
		if of.service != nil && ports[name] != 0 && !of.said {
			of.Port = ports[name]
			c.Components[name] = of
		}
	}
	for name, s := range c.Sinks {
		if s.Port == 0 {
			s.Port = ports[name]
		}
		if s.Port == 0 {
			s.Port = 80
		}
		c.Sinks[name] = s
	}
	for i, e := range c.Edges {
		if e.Protocol != "" {
			continue
		}
		_, sink := c.Sinks[e.To]
		if s, ok := project.Find(e.To); ok && !sink {
			c.Edges[i].Protocol = s.Protocol(c.portOf(e.To))
		}
		if sink {
			c.Edges[i].Protocol = targets.HTTP
		}
	}
}

// known tells that a name is somebody whom services could dial.
func (c *checker) known(name string) bool {
	of, component := c.Components[name]
	_, sink := c.Sinks[name]
	return component && of.Address == "" || sink
}

// portOf is the port at which somebody is found by name; 0: nobody says.
func (d *definition) portOf(name string) int {
	if s, ok := d.Sinks[name]; ok {
		return s.Port
	}
	return d.Components[name].Port
}

// namesOf are the names by which somebody is found.
func (d *definition) namesOf(name string) []string {
	if s, ok := d.Sinks[name]; ok {
		return append([]string{name}, s.Names...)
	}
	if s := d.Components[name].service; s != nil {
		return s.Names
	}
	return []string{name}
}

// found says how components find one another, in a target of a compose file.
func (d *definition) found(c *targets.Component) {
	if d.Compose == "" || c.Foreign {
		return
	}
	c.Port, c.Names = d.portOf(c.Name), d.namesOf(c.Name)
	if s := d.Components[c.Name].service; s != nil {
		c.Hostname, c.Grace = s.Hostname, s.Grace
	}
	if c.Port == 0 {
		c.Names = nil
	}
}

// service is how a component of the compose file is run.
func (i *instance) service(of component, words func(string) string) *targets.Container {
	spec := of.service.Container
	spec.After = slices.DeleteFunc(slices.Clone(spec.After), func(a container.After) bool { _, sink := i.definition.Sinks[a.Component]; return sink })
	in := of.Container
	if in == nil {
		return &spec
	}
	if in.Image != "" {
		spec.Image, spec.Build = words(in.Image), nil
	}
	if len(in.Command) > 0 {
		spec.Args = nil
		for _, word := range in.Command {
			spec.Args = append(spec.Args, words(word))
		}
	}
	spec.Env = slices.Clone(spec.Env)
	for _, key := range keysOf(in.Env) {
		spec.Env = append(spec.Env, key+"="+words(in.Env[key]))
	}
	return &spec
}
