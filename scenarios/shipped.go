package scenarios

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/internal/spelling"
)

//go:embed *.yaml
var files embed.FS

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of scenario files, for editors and other tools. It says less than Parse: what exists in a
// target, and what fits together, it cannot know.
func Schema() []byte { return slices.Clone(schema) }

// Default is the name of the scenario that runs when none is asked for.
const Default = "quick"

// Info is one scenario file, found and not yet checked.
type Info struct {
	Name   string // of a shipped scenario; of a file, its path
	About  string // one sentence; empty for a file, which may say anything
	File   string // its path; "" for a shipped one
	Source []byte
}

// Parse checks and reads the file. The scenario is nil exactly when there are problems.
func (i Info) Parse(v Vocabulary) (*Scenario, Problems) {
	name := i.File
	if name == "" {
		name = i.Name + ".yaml"
	}
	s, problems := Parse(name, i.Source, v)
	if s != nil {
		s.File = i.File
	}
	return s, problems
}

// Shipped lists the scenarios that come with the program: the default first, then by name.
func Shipped() []Info {
	names, _ := files.ReadDir(".") // an embedded directory can always be read
	var infos []Info
	for _, f := range names {
		src, _ := files.ReadFile(f.Name())
		name := strings.TrimSuffix(f.Name(), path.Ext(f.Name()))
		infos = append(infos, Info{Name: name, About: about(src), Source: src})
	}
	slices.SortFunc(infos, func(a, b Info) int {
		if d := (a.Name == Default); d != (b.Name == Default) {
			if d {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return infos
}

func about(src []byte) string {
	var p parser
	root := p.Read("", src) // what is shipped can be read: a test holds it
	if root == nil {
		return ""
	}
	o, _ := p.Object(root, "a scenario")
	return p.optionalText(o, "about")
}

// Find finds a scenario by the name of a shipped one, or by the path of a file.
func Find(nameOrPath string) (Info, error) {
	if IsPath(nameOrPath) {
		src, err := document.ReadFile(nameOrPath)
		return Info{Name: nameOrPath, File: nameOrPath, Source: src}, err
	}
	var names []string
	for _, i := range Shipped() {
		if i.Name == nameOrPath {
			return i, nil
		}
		names = append(names, i.Name)
	}
	return Info{}, fmt.Errorf("no scenario is called %q%s; %s; a file of your own is named by its path, as in ./%s.yaml",
		nameOrPath, spelling.Hint(nameOrPath, names), document.KnownNames(names), nameOrPath)
}
