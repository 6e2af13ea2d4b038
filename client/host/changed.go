package host

import (
	"cmp"
	"os"
	"strconv"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/changes"
)

// Changed describes what a command changes in Redis, for the audit logs of the gateways:
// who did it is whom sudo names, or the user of the system.
func (s *System) Changed(what string) changes.Change {
	user := func(name string) string {
		value, _ := s.Env.Lookup(name)
		return value
	}
	who := cmp.Or(user("SUDO_USER"), user("USER"), user("LOGNAME"), "uid "+strconv.Itoa(os.Getuid()))
	if agent := user("AGENT_ID"); agent != "" {
		who = "agent " + agent
	}
	from, _ := os.Hostname() // without a name it is not said
	return changes.Change{Who: who, From: from, What: what}
}
