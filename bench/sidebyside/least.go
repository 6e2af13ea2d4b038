package main

import (
	"context"
	"encoding/base64"
)

// least is the least that does what this program's mode of that name does, of a directory.
func least(name, self, mode string) contestant {
	start := func(ctx context.Context, at storage) (*server, error) {
		return startPlain(ctx, self, nil, func(addr string) []string {
			return []string{"-mode", mode, "-listen", addr, "-dir", at.dir}
		})
	}
	return contestant{name: name, start: start}
}

// refuser is the least that can refuse by net/http.
func refuser(self string) contestant {
	start := func(ctx context.Context, _ storage) (*server, error) {
		user := "module/" + moduleID
		right := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		s, err := startPlain(ctx, self, nil, func(addr string) []string {
			return []string{"-mode", "refuse", "-listen", addr, "-to", "Basic " + right}
		})
		if err == nil {
			s.client.User = user
		}
		return s, err
	}
	return contestant{name: "net/http that refuses", start: start}
}

// forwarder is the least that can stand between: it is told the storage by flags.
func forwarder(self string) contestant {
	start := func(ctx context.Context, at storage) (*server, error) {
		return startPlain(ctx, self, at.trust(), func(addr string) []string {
			return []string{"-mode", "forward", "-listen", addr, "-to", at.endpoint + "/" + at.bucket}
		})
	}
	return contestant{name: "forwarder", start: start}
}
