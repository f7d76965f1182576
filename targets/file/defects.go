package file

import (
	"maps"
	"os"
	"path/filepath"

	"github.com/wreckon/wreckon/targets"
)

// defect is a mistake of the target that can be switched on: what is different of its components.
type defect struct {
	Story      string            `json:"story"`
	Scenarios  []string          `json:"scenarios"`
	Falls      string            `json:"falls"`
	Components map[string]change `json:"components"`
}

// change is what is different of one component. What it does not say is as it is without the defect.
type change struct {
	Command   []string          `json:"command"`
	Env       map[string]string `json:"env"`
	Container *inContainer      `json:"container"`
}

// process tells that the change is there where components are processes.
func (c change) process() bool { return len(c.Command) > 0 || len(c.Env) > 0 }

// of changes a component.
func (c change) of(of component) component {
	if len(c.Command) > 0 {
		of.Command = c.Command
	}
	of.Env = over(of.Env, c.Env)
	if c.Container == nil {
		return of
	}
	var in inContainer
	if of.Container != nil {
		in = *of.Container
	}
	if c.Container.Image != "" {
		in.Image = c.Container.Image
	}
	if len(c.Container.Command) > 0 {
		in.Command = c.Container.Command
	}
	in.Env = over(in.Env, c.Container.Env)
	of.Container = &in
	return of
}

// over lays an environment over another one.
func over(env, more map[string]string) map[string]string {
	all := maps.Clone(env)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, more)
	return all
}

// mistakes are the defects as the rest of the harness sees them, in the order of the file, which is in this directory.
func (d *definition) mistakes(dir string) []targets.Defect {
	var list []targets.Defect
	for _, name := range d.defects {
		of := d.Defects[name]
		t := targets.Defect{Name: name, Story: of.Story, Falls: of.Falls, Process: true, Container: true}
		for _, s := range of.Scenarios {
			if !filepath.IsAbs(s) {
				s = filepath.Join(dir, s)
			}
			t.Reveals = append(t.Reveals, s)
		}
		for _, c := range of.Components {
			t.Process, t.Container = t.Process && c.process(), t.Container && c.Container != nil
		}
		list = append(list, t)
	}
	return list
}

// mistake checks a defect.
func (c *checker) mistake(name string, of defect) {
	path := at("defects", name)
	if !nameForm.MatchString(name) {
		c.wrong(path, "", "%q is no name: use small letters and digits, joined by single hyphens", clip(name, 60))
	}
	for i, s := range of.Scenarios {
		if info, err := os.Stat(c.path(s)); err != nil || info.IsDir() {
			c.wrong(below(path, "scenarios", i), "", "there is no scenario file %s: write its path from the directory of this file, as in ./scenario.yaml", c.path(s))
		}
	}
	if len(of.Components) == 0 {
		c.wrong(below(path, "components"), "", "%s changes nothing: say what is different of which component, as in components: {%s: {env: {MISTAKE: on}}}",
			name, firstOf(c.started(), "shop"))
	}
	for _, component := range keysOf(of.Components) {
		c.change(below(path, "components", component), component, of.Components[component])
	}
}

// change checks what a defect changes of a component.
func (c *checker) change(path []any, name string, of change) {
	to, known := c.Components[name]
	switch {
	case !known || to.Address != "":
		c.nobody(path, name, c.started())
		return
	case !of.process() && of.Container == nil:
		c.wrong(path, "", "nothing is different of %s: say its command, env or container", name)
	case of.Container != nil && of.Container.Image == "" && to.Container == nil && to.service == nil:
		c.wrong(below(path, "container"), "", "%s has no container: say its image", name)
	}
	names := c.namesFor(name)
	c.words(path, of.Command, of.Env, names)
	if in := of.Container; in != nil {
		c.words(below(path, "container"), in.Command, in.Env, names)
	}
}
