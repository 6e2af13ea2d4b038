package destination

import (
	"regexp"
	"strings"
)

// endpoints are the host name suffixes of S3 vendors. In the URL of a destination the
// bucket follows the endpoint. Bucket names in front of the host work with S3 too, but
// would be taken for the region here.
var endpoints = []struct {
	suffix string
	host   *regexp.Regexp
}{
	{".amazonaws.com", regexp.MustCompile(`^(s3[^.]*|bucket)(\.[a-z0-9-]+)*\.amazonaws\.com$`)},
	{".digitaloceanspaces.com", regexp.MustCompile(`^[^.]+\.digitaloceanspaces\.com$`)},
	{".cloud.ovh.net", regexp.MustCompile(`^(s3|storage)\.[^.]+(\.[a-z]+)?\.cloud\.ovh\.net$`)},
	{".wasabisys.com", regexp.MustCompile(`^s3(\.[^.]+)?\.wasabisys\.com$`)},
	{".synologyc2.net", regexp.MustCompile(`^[^.]+\.s3\.synologyc2\.net$`)},
	{".your-objectstorage.com", regexp.MustCompile(`^[^.]+\.your-objectstorage\.com$`)},
	{".cubbit.eu", regexp.MustCompile(`^s3\.cubbit\.eu$`)},
}

// cutBucket splits a vendor's host name with a bucket in front into the bucket and the host
// name.
func cutBucket(host string) (bucket, endpoint string, found bool) {
	for _, known := range endpoints {
		if !strings.HasSuffix(host, known.suffix) || known.host.MatchString(host) {
			continue
		}
		for rest, more := host, true; more; {
			if _, rest, more = strings.Cut(rest, "."); known.host.MatchString(rest) {
				return strings.TrimSuffix(host, "."+rest), rest, true
			}
		}
	}
	return "", "", false
}

// rightURL corrects an S3 URL with a bucket in front of the host name.
func rightURL(url string) (right string, found bool) {
	endpoint := endpointOf(url)
	host := hostOf(endpoint)
	bucket, rest, found := cutBucket(host)
	if !found {
		return "", false
	}
	_, folder, _ := strings.Cut(strings.TrimPrefix(url, "s3:"+endpoint), "/")
	return strings.TrimSuffix("s3:"+strings.Replace(endpoint, host, rest, 1)+"/"+bucket+"/"+folder, "/"), true
}
