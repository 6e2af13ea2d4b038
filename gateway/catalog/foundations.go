package catalog

import "github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"

// Foundations returns id and the destinations that its section refers to, directly or
// indirectly: crypt, alias, combine and union do so with "remote = ID:path".
func (s *Snapshot) Foundations(id string) map[string]bool {
	found := map[string]bool{}
	for queue := []string{id}; len(queue) > 0; queue = queue[1:] {
		destination := s.Destinations[queue[0]]
		if destination == nil || found[queue[0]] {
			continue
		}
		found[queue[0]] = true
		queue = append(queue, rcloneconf.Remotes(destination.Section)...)
	}
	return found
}
