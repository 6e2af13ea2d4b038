package storage

import "strings"

// SplitName splits the name of an object in a repository into the repository, "<app
// type>/<module UUID>", that UUID, and the kind of object. All are empty for names outside
// of repositories.
func SplitName(name string) (repo, uuid, kind string) {
	app, rest, ok := strings.Cut(name, "/")
	if !ok {
		return "", "", ""
	}
	uuid, rest, ok = strings.Cut(rest, "/")
	if !ok {
		return "", "", ""
	}
	kind, _, _ = strings.Cut(rest, "/")
	return name[:len(app)+1+len(uuid)], uuid, kind
}
