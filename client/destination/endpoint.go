package destination

import (
	"regexp"
	"strings"
)

// endpoints are the host names of vendors, by what they end with: with a bucket in
// front of them S3 works too, but not where the bucket is behind the endpoint, as in
// the URL of a destination. The region would be that bucket's name.
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

// cutBucket returns the bucket that stands in front of a vendor's host name, and the
// host name.
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

// rightURL is the form of an S3 URL whose bucket stands in front of the host name.
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
