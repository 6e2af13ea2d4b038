package servers

import (
	"context"
	"encoding/base64"
)

// Least is the least that does what this program's mode of that name does, of a directory.
func Least(name, self, mode string) Contestant {
	start := func(ctx context.Context, at Storage) (*Server, error) {
		return startPlain(ctx, self, nil, func(addr string) []string {
			return []string{"-mode", mode, "-listen", addr, "-dir", at.Dir}
		})
	}
	return Contestant{Name: name, Start: start}
}

// Refuser is the least that can refuse by net/http.
func Refuser(self string) Contestant {
	start := func(ctx context.Context, _ Storage) (*Server, error) {
		user := "module/" + ModuleID
		right := base64.StdEncoding.EncodeToString([]byte(user + ":" + Password))
		s, err := startPlain(ctx, self, nil, func(addr string) []string {
			return []string{"-mode", "refuse", "-listen", addr, "-to", "Basic " + right}
		})
		if err == nil {
			s.Client.User = user
		}
		return s, err
	}
	return Contestant{Name: "net/http that refuses", Start: start}
}

// Forwarder is the least that can stand between: it is told the storage by flags.
func Forwarder(self string) Contestant {
	start := func(ctx context.Context, at Storage) (*Server, error) {
		return startPlain(ctx, self, at.Trust(), func(addr string) []string {
			return []string{"-mode", "forward", "-listen", addr, "-to", at.Endpoint + "/" + at.Bucket}
		})
	}
	return Contestant{Name: "forwarder", Start: start}
}
