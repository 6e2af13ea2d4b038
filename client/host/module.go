package host

import (
	"regexp"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// Module is who we run for.
type Module struct {
	ID, UUID string
	App      string // the image's name, which is the second level of repositories' paths
	StateDir string
}

// Module IDs get into file names, container names and URLs, so anything else is
// refused before it is used.
var (
	ModuleIDPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
	PathSegment     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
)

// Module reads who we run for from the agent's environment.
func (e *Environment) Module() (Module, error) {
	var m Module
	var image string
	for _, v := range []struct {
		target *string
		get    func() (string, error)
	}{
		{&m.ID, e.ModuleID}, {&m.UUID, e.ModuleUUID}, {&m.StateDir, e.StateDir}, {&image, e.imageURL},
	} {
		var err error
		if *v.target, err = v.get(); err != nil {
			return Module{}, err
		}
	}
	if !ModuleIDPattern.MatchString(m.ID) {
		return Module{}, exit.Failf(exit.Usage, "MODULE_ID %q is not a module ID", m.ID)
	}
	if !PathSegment.MatchString(m.UUID) {
		return Module{}, exit.Failf(exit.Usage, "MODULE_UUID %q is not a UUID", m.UUID)
	}
	var err error
	m.App, err = AppOfImage(image)
	return m, err
}

// AppOfImage returns the name of an image: what stands behind the last slash, up
// to the tag or the digest, one of which there must be.
func AppOfImage(imageURL string) (string, error) {
	name := imageURL[strings.LastIndex(imageURL, "/")+1:]
	end := strings.IndexAny(name, ":@")
	if end < 0 || !PathSegment.MatchString(name[:end]) {
		return "", exit.Failf(exit.Usage, "IMAGE_URL %q does not end in an image name with a tag or a digest", imageURL)
	}
	return name[:end], nil
}

// RepositoryPath matches APP/UUID, a module's path below a destination.
var RepositoryPath = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$`)
