package catalog

import (
	"net/netip"
	"testing"
)

func TestCandidateIsPlacedAsItWillBe(t *testing.T) {
	t.Parallel()
	const id = "b6f0639c-4276-5b7b-8752-eda8eda282db"
	s := &Snapshot{Nodes: map[string]*Node{
		"1": {ID: "1", IPAddress: netip.MustParseAddr("10.5.4.1")},
		"2": {ID: "2", IPAddress: netip.MustParseAddr("10.5.4.2")},
	}}
	opts := LoadOptions{NodeID: "1", ClusterStore: "/srv/store"}
	for _, tt := range []struct {
		name     string
		id       string
		record   Record
		typ      string
		base     string
		peer     string
		mustFail bool
	}{
		{"a bucket", id, Record{"backblaze", "b2:bucket/dir", "", "[" + id + "]\ntype = b2\n"}, "b2", "bucket/dir", "", false},
		{"a pasted section", id, Record{"rclone", "rclone:sftp:h:x", "x/y", "[" + id + "]\ntype = sftp\n"}, "sftp", "x/y", "", false},
		{"this node's disk", id, Record{"cluster", "webdav:http://10.5.4.1:4694", "", ""}, "local", "/srv/store", "", false},
		{"another node's disk", id, Record{"cluster", "webdav:http://10.5.4.2:4694", "", ""}, "", "", "2", false},
		{"no node's disk", id, Record{"cluster", "webdav:http://10.5.4.3:4694", "", ""}, "", "", "", true},
		{"an ID in upper case", "B6F0639C-4276-5B7B-8752-EDA8EDA282DB", Record{"backblaze", "b2:bucket", "", "[x]\ntype = b2\n"}, "", "", "", true},
		{"another's section", id, Record{"backblaze", "b2:bucket", "", "[x]\ntype = b2\n"}, "", "", "", true},
		{"no section", id, Record{"backblaze", "b2:bucket", "", ""}, "", "", "", true},
		{"no bucket", id, Record{"aws", "s3:host", "", "[" + id + "]\ntype = s3\n"}, "", "", "", true},
	} {
		d, err := s.Candidate(tt.id, tt.record, opts)
		if tt.mustFail {
			if err == nil {
				t.Errorf("%s: no error", tt.name)
			}
			continue
		}
		if err != nil || d.Type != tt.typ || d.Base != tt.base || d.PeerNode != tt.peer {
			t.Errorf("%s: %+v, %v", tt.name, d, err)
		}
	}
}
