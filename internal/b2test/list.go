package b2test

import (
	"cmp"
	"strings"
)

// list is the answer to both calls that list: each leaves the other's field out.
type list struct {
	Files    []*version `json:"files"`
	NextName *string    `json:"nextFileName"`
	NextID   *string    `json:"nextFileId,omitempty"`
}

// maxFileCount is the most that one call lists.
const maxFileCount = 10_000

// listFileNames lists the newest version of each file that is not hidden.
func (s *Server) listFileNames(r request) (any, error) {
	seen := ""
	var shown []*version
	for _, v := range s.versions {
		if v.Name != seen && v.Action == actionUpload {
			shown = append(shown, v)
		}
		seen = v.Name
	}
	answer, err := listOf(shown, r)
	answer.NextID = nil
	return answer, err
}

// listFileVersions lists all versions, hiding marks among them.
func (s *Server) listFileVersions(r request) (any, error) { return listOf(s.versions, r) }

// listOf lists from where the request says to start. What has the delimiter behind the
// prefix is one folder.
func listOf(versions []*version, r request) (list, error) {
	limit := cmp.Or(r.MaxFileCount, 100)
	if limit < 1 || limit > maxFileCount {
		return list{}, badRequest("bad_request", "maxFileCount is out of range: %d", limit)
	}
	answer := list{Files: []*version{}}
	started, folder := r.StartFileID == "", ""
	for _, v := range versions {
		started = started || v.Name > r.StartFileName || v.ID == r.StartFileID
		rest, below := strings.CutPrefix(v.Name, r.Prefix)
		if !started || !below || v.Name < r.StartFileName || folder != "" && strings.HasPrefix(v.Name, folder) {
			continue
		}
		if first, _, deeper := strings.Cut(rest, r.Delimiter); deeper && r.Delimiter != "" {
			folder = r.Prefix + first + r.Delimiter
			v = &version{Name: folder, Action: actionFolder, BucketID: v.BucketID, AccountID: v.AccountID}
		}
		if len(answer.Files) == limit {
			answer.NextName, answer.NextID = &v.Name, &v.ID
			break
		}
		answer.Files = append(answer.Files, v)
	}
	return answer, nil
}
