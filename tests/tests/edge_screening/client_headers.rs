//! The header fields of browsers and FHIR client libraries, exactly as they send them.

/// The field lines of a program.
pub(super) struct ClientHeaders(pub(super) &'static str);

/// Browsers.
pub(super) const BROWSERS: [ClientHeaders; 9] = [
    ClientHeaders(
        r#"sec-ch-ua: "Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"
sec-ch-ua-mobile: ?0
sec-ch-ua-platform: "Windows"
Upgrade-Insecure-Requests: 1
User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7
Sec-Fetch-Site: same-origin
Sec-Fetch-Mode: navigate
Sec-Fetch-User: ?1
Sec-Fetch-Dest: document
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-US,en;q=0.9
Priority: u=0, i"#,
    ),
    ClientHeaders(
        r"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
Accept-Language: de,en-US;q=0.7,en;q=0.3
Accept-Encoding: gzip, deflate, br, zstd
Sec-GPC: 1
DNT: 1
Upgrade-Insecure-Requests: 1
Sec-Fetch-Dest: document
Sec-Fetch-Mode: navigate
Sec-Fetch-Site: same-origin
Sec-Fetch-User: ?1
Priority: u=0, i
Pragma: no-cache
Cache-Control: no-cache",
    ),
    ClientHeaders(
        r"Sec-Fetch-Dest: document
User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
Sec-Fetch-Site: same-origin
Sec-Fetch-Mode: navigate
Accept-Language: es-419,es;q=0.9
Priority: u=0, i
Accept-Encoding: gzip, deflate, br",
    ),
    ClientHeaders(
        r#"Cache-Control: max-age=0
sec-ch-ua: "Microsoft Edge";v="141", "Not?A_Brand";v="8", "Chromium";v="141"
sec-ch-ua-mobile: ?0
sec-ch-ua-platform: "Windows"
Upgrade-Insecure-Requests: 1
User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7
Sec-Fetch-Site: same-origin
Sec-Fetch-Mode: navigate
Sec-Fetch-Dest: document
Referer: https://clinic.example/patients
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: zh-CN,zh;q=0.9,en;q=0.8,en-GB;q=0.7,en-US;q=0.6
If-None-Match: W/"3"
If-Modified-Since: Mon, 23 Nov 2026 15:00:00 GMT"#,
    ),
    ClientHeaders(
        r"User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
Accept-Language: en-US,en;q=0.9
Accept-Encoding: gzip, deflate, br
Sec-Fetch-Site: same-origin
Sec-Fetch-Mode: navigate
Sec-Fetch-Dest: document",
    ),
    ClientHeaders(
        r#"sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24", "Samsung Internet";v="29.0"
sec-ch-ua-mobile: ?1
sec-ch-ua-platform: "Android"
User-Agent: Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/140.0.0.0 Mobile Safari/537.36
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8
Sec-Fetch-Site: same-origin
Sec-Fetch-Mode: navigate
Sec-Fetch-Dest: document
Accept-Encoding: gzip, deflate, br
Accept-Language: ko-KR,ko;q=0.9,en-US;q=0.8"#,
    ),
    ClientHeaders(
        r"User-Agent: Mozilla/5.0 (Linux; Android 14; SM-S918B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/140.0.0.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/485.0.0.70.77;IABMV/1;]
X-Requested-With: com.facebook.katana
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8
Sec-Fetch-Site: same-origin
Accept-Encoding: gzip, deflate, br
Accept-Language: pt-BR,pt;q=0.9",
    ),
    // A screen reader on an old Windows, which does not send `Sec-Fetch-Site`.
    ClientHeaders(
        r"Accept: text/html, application/xhtml+xml, image/jxr, */*
Accept-Language: fr-CA
User-Agent: Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; .NET4.0E; rv:11.0) like Gecko
Accept-Encoding: gzip, deflate
Origin: https://clinic.example",
    ),
    ClientHeaders(
        r"User-Agent: Lynx/2.9.2 libwww-FM/2.14 SSL-MM/1.4.1 OpenSSL/3.4.0
Accept: text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01
Accept-Encoding: gzip, compress, bzip2
Accept-Language: en
Origin: https://clinic.example",
    ),
];

/// Clients of the FHIR API or the workflow API.
pub(super) const CLIENTS: [ClientHeaders; 10] = [
    ClientHeaders(
        r"User-Agent: HAPI-FHIR/8.2.0 (FHIR Client; FHIR 4.0.1/R4; apache)
Accept-Charset: utf-8
Accept-Encoding: gzip
Accept: application/fhir+xml;q=1.0, application/fhir+json;q=1.0, application/xml+fhir;q=0.9, application/json+fhir;q=0.9",
    ),
    ClientHeaders(
        r"User-Agent: firely-sdk-client/5.12.1
Accept: application/fhir+json; fhirVersion=4.0
Accept-Charset: utf-8
Accept-Encoding: gzip, deflate
Prefer: return=representation",
    ),
    ClientHeaders(
        r"User-Agent: python-requests/2.32.5
Accept-Encoding: gzip, deflate, br, zstd
Accept: application/fhir+json",
    ),
    ClientHeaders(
        r"User-Agent: Python/3.13 aiohttp/3.13.2
Accept: */*
Accept-Encoding: gzip, deflate, br",
    ),
    ClientHeaders(
        r"User-Agent: axios/1.13.2
Accept: application/json, text/plain, */*
Accept-Encoding: gzip, compress, deflate, br",
    ),
    ClientHeaders(
        r"User-Agent: Go-http-client/1.1
Accept: application/fhir+json
Accept-Encoding: gzip",
    ),
    ClientHeaders(
        r"User-Agent: okhttp/5.3.0
Accept: application/fhir+json;charset=utf-8, application/json;q=0.9
Accept-Encoding: gzip",
    ),
    ClientHeaders(
        r"User-Agent: Java/21.0.9
Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    ),
    ClientHeaders(
        r"User-Agent: My%20Health/412 CFNetwork/3826.600.41 Darwin/24.6.0
Accept: application/fhir+json
Accept-Language: en-US,en;q=0.9
Accept-Encoding: gzip, deflate, br
Priority: u=3",
    ),
    ClientHeaders("User-Agent: curl/8.14.1\nAccept: */*"),
];
