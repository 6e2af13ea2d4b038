package backend

import (
	"maps"
	"time"

	"github.com/rclone/rclone/fs"
)

// tuning holds defaults per backend that suit a backup store better than
// rclone's. What a section sets itself wins.
var tuning = map[string]map[string]string{
	// A HEAD after every PUT tells nothing that the answer to the PUT does not.
	"s3": {"no_head": "true"},
	// 4 MiB, rclone's default, makes six requests of one pack.
	"azureblob": {"chunk_size": "32Mi"},
	// Without it nothing is ever freed: deletion would only hide objects.
	"b2": {"hard_delete": "true"},
	// A server sends session tickets over each connection for data of TLS 1.3. Whoever only
	// uploads never reads them, and closing a socket with bytes unread resets it: the
	// server loses the end of the upload, and refuses all of it. 1.2 has none of them.
	"ftp": {"disable_tls13": "true"},
	// rclone's default, 10 ms between any two requests, makes a list of a
	// repository's 256 directories take seconds, whatever the server could do.
	"webdav": {"pacer_min_sleep": "1ms"},
}

// oneRequest makes every operation on S3 a single request: no HEAD of an object
// before it is read or deleted, no look at the bucket before a PUT. Store works
// around the consequences: an fs.Object knows nothing until it is asked.
var oneRequest = map[string]string{
	"no_head":         "true",
	"no_head_object":  "true",
	"no_check_bucket": "true",
}

// tuned returns a copy of a section with the defaults for its backend.
func tuned(section map[string]string) map[string]string {
	out := maps.Clone(tuning[section["type"]])
	if out == nil {
		out = make(map[string]string, len(section))
	}
	maps.Copy(out, section)
	return out
}

// takesOneRequest reports whether a section may be opened with [oneRequest]. Where
// a name is not a key of the bucket, or a size not that of the object, it may not.
func takesOneRequest(section map[string]string) bool {
	if section["type"] != "s3" {
		return false
	}
	for _, key := range []string{"versions", "version_at", "version_deleted", "decompress", "download_url"} {
		if value := section[key]; value != "" && value != "false" {
			return false
		}
	}
	return true
}

// configure sets what a backend captures of rclone's global configuration when
// it is made.
func configure(ci *fs.ConfigInfo, backend string) {
	// Two tries: restic continues for minutes, so that an answer soon is worth more
	// than a third. Ten, rclone's default, against a port that refuses take minutes.
	ci.LowLevelRetries = 2
	if backend == "s3" {
		// Here it is how often the SDK tries each of rclone's own two tries.
		ci.LowLevelRetries = 1
	}
	ci.ConnectTimeout = fs.Duration(10 * time.Second)
	// The longest silence of a server; not a limit on a whole transfer.
	ci.Timeout = fs.Duration(2 * time.Minute)
	// Sizes rclone's pools of idle connections: 82 for each remote.
	ci.Transfers = 32
	// No request for a modification time of rclone's own.
	ci.UseServerModTime = true
	// Contents are verified by SHA-256 already: no MD5 of them on the way.
	ci.IgnoreChecksum = true
}
