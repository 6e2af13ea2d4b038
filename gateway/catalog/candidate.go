package catalog

import "errors"

// Record is a destination as Redis holds it: the hash DestinationKey and its
// field in RcloneConf. Section is full of secrets.
type Record struct {
	Provider, URL, BasePath, Section string
}

// Candidate makes of a record the destination that Load would make of it, were
// it in Redis beside what s knows. Errors name no secret.
func (s *Snapshot) Candidate(id string, r Record, opts LoadOptions) (*Destination, error) {
	if !validUUID(id) {
		return nil, errors.New("the destination's ID is no UUID in lower case")
	}
	d := &Destination{ID: id, URL: r.URL, Provider: r.Provider}
	values, err := sectionOf(d, r.Section)
	if err != nil {
		return nil, err
	}
	where := site{nodeID: opts.NodeID, clusterStore: opts.ClusterStore, nodes: s.Nodes}
	if err := where.place(d, r.BasePath, values); err != nil {
		return nil, err
	}
	return d, nil
}
