package compose

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/sirupsen/logrus"

	"github.com/wreckon/wreckon/internal/container"
	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/internal/spelling"
)

// Options are what is not in the file.
type Options struct {
	Profiles  []string          // that are wanted, beside those of COMPOSE_PROFILES
	Variables map[string]string // what ${NAME} stands for in the file, before the environment and .env
}

// Project is a compose file, read: what is in its profiles.
type Project struct {
	Services []Service // in the order of the file

	reader document.Reader
	root   *document.Node
	model  *types.Project
}

// Service is one service, as a component.
type Service struct {
	Name      string
	Container container.Spec
	Hostname  string
	Names     []string      // by which others find it
	Grace     time.Duration // that it is given to end; 0: the file does not say
	Networks  []string      // who shares one can reach it
	Ports     []int         // that it says it serves, or that its image is known for
	Needs     []string      // services that it depends on or links to, and that go on running

	texts map[string]string // of its environment by name, and of its command: where others are mentioned
}

// quiet keeps what the loader would log, warnings of variables that are not set, off the terminal: that is no way to tell a person.
var quiet = sync.OnceFunc(func() { logrus.SetOutput(io.Discard) })

// Load reads a compose file as Compose does: with its .env, with the environment, with what it includes and extends. The project is of use
// exactly when there are no problems.
func Load(path string, o Options) (*Project, document.Problems) {
	quiet()
	p := &Project{reader: document.Reader{Kind: "compose file", Begins: "a compose file begins with services:"}}
	src, err := document.ReadFile(path)
	if err != nil {
		return nil, document.Problems{{File: path, Message: err.Error()}}
	}
	if p.root = p.reader.Read(path, src); p.root == nil {
		return nil, p.reader.Problems
	}
	raw, err := p.load(path, o)
	if err != nil {
		p.failed(err)
		return nil, p.reader.Problems
	}
	p.keys(raw)
	p.services()
	p.reader.Problems.Sort()
	return p, p.reader.Problems
}

// load gives the file's model, and keeps its project. The loader is asked twice, since the keys that were given are no part of a project.
func (p *Project) load(path string, o Options) (raw map[string]any, err error) {
	with := []cli.ProjectOptionsFn{
		cli.WithWorkingDirectory(filepath.Dir(path)), cli.WithName("wreckon"), cli.WithOsEnv, setEnv(o.Variables), cli.WithEnvFiles(), cli.WithDotEnv,
		setEnv(o.Variables), cli.WithDefaultProfiles(o.Profiles...), cli.WithResolvedPaths(true),
	}
	ctx := context.Background()
	for _, read := range []func(*cli.ProjectOptions) error{
		func(c *cli.ProjectOptions) (err error) { raw, err = c.LoadModel(ctx); return err },
		func(c *cli.ProjectOptions) (err error) { p.model, err = c.LoadProject(ctx); return err },
	} {
		c, err := cli.NewProjectOptions([]string{path}, with...)
		if err != nil {
			return nil, err
		}
		if err := read(c); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

func setEnv(variables map[string]string) cli.ProjectOptionsFn {
	return func(o *cli.ProjectOptions) error {
		for name, value := range variables {
			o.Environment[name] = value
		}
		return nil
	}
}

var mentioned = regexp.MustCompile(`\b(services|networks|volumes|secrets|configs)\.[\w.-]+`)

// failed says what the loader said, at the place that it names, if it names one.
func (p *Project) failed(err error) {
	text := document.OneLine(err)
	var at []any
	if place := mentioned.FindString(text); place != "" {
		for _, word := range strings.Split(strings.TrimRight(place, "."), ".") {
			at = append(at, word)
		}
	} else if name := quoted(text); name != "" {
		at = []any{"services", name}
	}
	p.wrong(at, "", "%s", strings.TrimPrefix(text, "validating "+p.reader.Name()+": "))
}

var inQuotes = regexp.MustCompile(`"([^"]+)"`)

func quoted(text string) string {
	if m := inQuotes.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// wrong notes what is wrong at a place of the file: at the key or the entry that it ends with, or as near as there is something of it. What an
// included file says, or a merged mapping, is told of at its service.
func (p *Project) wrong(path []any, hint, format string, args ...any) {
	n := p.root
	for i := len(path); i > 0; i-- {
		if found := entry(document.Find(p.root, path[:i-1]...), path[i-1]); found != nil {
			n = found
			break
		}
	}
	p.reader.Hinted(n, hint, format, args...)
}

// entry is the key of a mapping, or the entry of a list; nil: it has none.
func entry(n *document.Node, name any) *document.Node {
	if i, ok := name.(int); ok && n.Kind == document.SequenceNode && i < len(n.Content) {
		return n.Content[i]
	}
	for i := 0; n.Kind == document.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i]
		}
	}
	return nil
}

// Wrong notes a problem with a service, for whoever puts the project to use.
func (p *Project) Wrong(service, key, format string, args ...any) document.Problems {
	path := []any{"services", service}
	if key != "" {
		path = append(path, key)
	}
	before := len(p.reader.Problems)
	p.wrong(path, "", format, args...)
	return p.reader.Problems[before:]
}

// keys refuses every key of a service that is not supported.
func (p *Project) keys(raw map[string]any) {
	services, _ := raw["services"].(map[string]any)
	for _, name := range p.names() {
		of, _ := services[name].(map[string]any)
		for key, value := range of {
			_, known := silent[key]
			if value == nil || honoured[key] || known || strings.HasPrefix(key, "x-") {
				continue
			}
			p.wrong([]any{"services", name, key}, refused[key], "%s is not supported", key)
		}
	}
}

// names are those of the services, in the order of the file; what other files added comes after.
func (p *Project) names() []string {
	order := document.Keys(document.Find(p.root, "services"))
	names := make([]string, 0, len(p.model.Services))
	for _, name := range order {
		if _, there := p.model.Services[name]; there {
			names = append(names, name)
		}
	}
	for _, name := range p.model.ServiceNames() { // sorted
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Find gives a service by its name.
func (p *Project) Find(name string) (Service, bool) {
	i := slices.IndexFunc(p.Services, func(s Service) bool { return s.Name == name })
	if i < 0 {
		return Service{}, false
	}
	return p.Services[i], true
}

// Named says that there is no service of a name, and which could be meant.
func (p *Project) Named(name string) error {
	names := p.names()
	return fmt.Errorf("%s has no service %s%s (%s)", p.reader.Name(), document.Quote(name), spelling.Hint(name, names), document.KnownNames(names))
}

// stat tells what is at a path of this machine that a service wants to see.
func stat(path string) (dir, there bool, err error) {
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return false, false, nil
	case err != nil:
		return false, false, err
	case !info.IsDir() && !info.Mode().IsRegular():
		return false, true, fmt.Errorf("%s is neither a file nor a directory", path)
	}
	return info.IsDir(), true, nil
}
