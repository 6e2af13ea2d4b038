package catalog

// Foundations returns id and the destinations that its section names, as crypt,
// alias, combine and union do with "remote = ID:path", and theirs in turn.
func (s *Snapshot) Foundations(id string) map[string]bool {
	found := map[string]bool{}
	for queue := []string{id}; len(queue) > 0; queue = queue[1:] {
		destination := s.Destinations[queue[0]]
		if destination == nil || found[queue[0]] {
			continue
		}
		found[queue[0]] = true
		queue = append(queue, RemotesIn(destination.Section)...)
	}
	return found
}

// RemotesIn returns the destination IDs that stand before a colon in the values
// of a section, as in "remote = ID:path" or "upstreams = a=ID:x b=ID:y".
func RemotesIn(section map[string]string) []string {
	const idLength = 36
	var ids []string
	for _, value := range section {
		for i := range len(value) {
			if value[i] == ':' && i >= idLength {
				ids = append(ids, value[i-idLength:i])
			}
		}
	}
	return ids
}
