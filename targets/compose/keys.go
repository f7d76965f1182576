package compose

import "strings"

// honoured are the keys of a service that mean here what they mean to Compose.
var honoured = words(`image build command entrypoint environment env_file volumes tmpfs healthcheck depends_on networks links profiles user
group_add working_dir stop_signal stop_grace_period hostname extends init read_only cap_add cap_drop mem_limit shm_size cpus expose container_name
scale deploy secrets configs`)

// silent are the keys that change nothing here, and why.
var silent = map[string]string{
	"ports":         "nothing is published: the harness is the only one outside; a port is that of the service",
	"restart":       "a component that ends without being told to is a finding, and faults start what they ended",
	"labels":        "for people and other tools",
	"label_file":    "for people and other tools",
	"annotations":   "for people and other tools",
	"logging":       "what it prints goes to the run directory",
	"attach":        "what it prints goes to the run directory",
	"pull_policy":   "--pull says what is pulled",
	"platform":      "the image is that of the engine",
	"develop":       "nothing is watched",
	"stdin_open":    "nobody is there to type",
	"tty":           "nobody is there to read",
	"oom_score_adj": "the kernel's order of killing",
	"name":          "the loader's own",
}

// refused are some keys that are not supported, and what would be right instead. Every key that is in none of the three is refused, too.
var refused = map[string]string{
	"privileged":     "a component must not reach past its proxies: give it the capabilities that it needs, as cap_add",
	"extra_hosts":    "names lead to proxies: declare an edge to a sink with names instead",
	"dns":            "names lead to proxies: declare an edge instead",
	"dns_search":     "names lead to proxies: declare an edge instead",
	"dns_opt":        "names lead to proxies: declare an edge instead",
	"external_links": "names lead to proxies: declare a component with an address, and an edge to it",
	"volumes_from":   "name the volumes of the other service instead",
	"network_mode":   "each component has a network of its own: name networks, or declare edges",
	"pid":            "each component is in a container of its own, and dies alone",
	"ipc":            "each component is in a container of its own, and dies alone",
	"sysctls":        "set what the service needs in its image",
}

func words(text string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(text) {
		set[word] = true
	}
	return set
}
