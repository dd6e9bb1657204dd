//! Requests of ordinary browsers and FHIR clients, all of which are admitted.

use super::*;

/// Real `User-Agent`s: browsers, browsers in apps, libraries, monitors, crawlers.
const AGENTS: [&str; 60] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.2849.68",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36 OPR/115.0.0.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPad; CPU OS 16_7_10 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0.6723.90 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/129.0.6668.100 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 13; moto g(60)s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; U; Android 12; zh-cn; Redmi Note 9 Pro Build/SKQ1.211019.001) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/100.0.4896.127 Mobile Safari/537.36 XiaoMi/MiuiBrowser/17.8.100808",
    "Mozilla/5.0 (Linux; Android 12; SM-G991U; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/128.0.6613.127 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/485.0.0.70.77;]",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/470.1.0.43.103;FBBV/617337158;FBDV/iPhone14,3;FBMD/iPhone;FBSN/iOS;FBSV/17.5;FBSS/3;FBID/phone;FBLC/en_US;FBOP/5;FBRV/0]",
    "Instagram 275.0.0.27.98 Android (33/13; 420dpi; 1080x2181; samsung; SM-A536B; a53x; s5e8825; en_GB; 458229258)",
    "[FBAN/FB4A;FBAV/222.0.0.48.113;FBBV/155323366;FBDM/{density=2.0,width=720,height=1280};FBLC/en_US;FBCR/;FBMF/samsung;FBBD/samsung;FBPN/com.facebook.katana;FBDV/SM-J330F;FBSV/8.0.0;FBOP/1;FBCA/armeabi-v7a:armeabi;]",
    "Mozilla/5.0 (Linux; Android 11; M2007J20CG) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/86.0.4240.99 XWEB/4317 MMWEBSDK/20220805 Mobile Safari/537.36 MMWEBID/9538 MicroMessenger/8.0.27.2220(0x28001B53) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64",
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)",
    "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; .NET4.0E; rv:11.0) like Gecko",
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/7.0 TV Safari/537.36",
    "Lynx/2.9.0dev.12 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.7.8",
    "w3m/0.5.3+git20230121",
    "Links (2.28; Linux 6.1.0 x86_64; GNU C 12.2; text)",
    "curl/8.4.0",
    "Wget/1.21.3",
    "HTTPie/3.2.2",
    "python-requests/2.32.3",
    "python-httpx/0.27.2",
    "Python/3.11 aiohttp/3.10.10",
    "Python-urllib/3.12",
    "Go-http-client/2.0",
    "okhttp/4.12.0",
    "Dalvik/2.1.0 (Linux; U; Android 13; SM-A528B Build/TP1A.220624.014)",
    "Apache-HttpClient/4.5.14 (Java/17.0.12)",
    "Java/21.0.4",
    "Java-http-client/17.0.12",
    "axios/1.7.7",
    "node",
    "undici",
    "PostmanRuntime/7.42.0",
    "insomnia/10.1.1",
    "HAPI-FHIR/7.4.0 (FHIR Client; FHIR 4.0.1/R4; apache)",
    "firely-sdk-client/5.9.1",
    "smile-cdr/2024.08.R03 (HAPI-FHIR; Linux amd64)",
    "My%20Health/412 CFNetwork/1568.100.1 Darwin/24.0.0",
    "Microsoft.Data.Mashup (https://go.microsoft.com/fwlink/?LinkID=304225)",
    "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621.4249",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "ELB-HealthChecker/2.0",
    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    "GoogleStackdriverMonitoring-UptimeChecks(https://cloud.google.com/monitoring)",
    "Mozilla/5.0 (compatible; Let's Encrypt validation server; +https://www.letsencrypt.org)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36; Selenium",
    "%E5%81%A5%E5%BA%B7/12 CFNetwork/1568.100.1 Darwin/24.0.0",
    "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
    "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
    "R (4.3.1 x86_64-pc-linux-gnu x86_64 linux-gnu)",
];

#[test]
fn every_ordinary_user_agent_is_admitted() {
    for agent in AGENTS {
        let screened = screen("GET /sign-in", &[("user-agent", agent)]);
        assert_eq!(screened, Ok("/sign-in"), "{agent}");
    }
    assert!(screen("GET /sign-in", &[("user-agent", "")]).is_ok());
}

#[test]
fn a_browsers_pages_and_forms_are_admitted() {
    let chromium = [
        (
            "sec-ch-ua",
            "\"Chromium\";v=\"130\", \"Google Chrome\";v=\"130\", \"Not?A_Brand\";v=\"99\"",
        ),
        ("sec-ch-ua-mobile", "?0"),
        ("sec-ch-ua-platform", "\"Windows\""),
        ("upgrade-insecure-requests", "1"),
        (
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
        ),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-user", "?1"),
        ("sec-fetch-dest", "document"),
        ("referer", "https://clinic.example/patients"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        (
            "accept-language",
            "en-US,en;q=0.9,de-DE;q=0.8,zh-Hant-TW;q=0.7,*;q=0.1",
        ),
        (
            "cookie",
            "_ga=GA1.1.123456789.1700000000; prefs={\"a\":\"<b>\"}; __Host-session=abc",
        ),
        ("priority", "u=0, i"),
        ("dnt", "1"),
        ("if-none-match", "W/\"3\""),
        ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ];
    let chart = format!("GET /patients/{ID}?kind=Observation&page=3");
    for line in [
        "GET /",
        "HEAD /",
        "GET /sign-in",
        "GET /patients",
        "GET /patients?sort=birth_date&order=desc&page=17",
        "GET /patients?",
        chart.as_str(),
        "GET /people",
        "GET /audit",
        "GET /assets/style.0123456789abcdef.css",
    ] {
        assert!(
            screen(line, &chromium).is_ok(),
            "{line}: {:?}",
            screen(line, &chromium)
        );
    }
    let mut form = chromium.to_vec();
    form.push(("origin", "https://clinic.example"));
    form.push(("content-type", "application/x-www-form-urlencoded"));
    for line in ["POST /sign-in", "POST /sign-out", "POST /patients/search"] {
        assert!(screen(line, &form).is_ok(), "{line}");
    }
    // The form of the sign-out button has no fields; browsers send its content type all the same.
    let head = head("POST /sign-out", &form);
    assert!(check(&head, false, &origin(), &api_schema()).is_ok());
}

/// `Accept` as FHIR libraries send it.
const FHIR_ACCEPTS: [&str; 11] = [
    "application/fhir+json",
    "application/fhir+json; fhirVersion=4.0",
    "application/fhir+xml;q=1.0, application/fhir+json;q=1.0, application/xml+fhir;q=0.9, application/json+fhir;q=0.9",
    "application/fhir+json, application/json;q=0.9, */*;q=0.1",
    "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "*/*",
    "APPLICATION/FHIR+JSON",
    "application/fhir+json; profile=\"http://hl7.org/fhir/StructureDefinition/Patient\"",
    "application/fhir+json; profile=\"http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient|6.1.0\"; charset=\"utf-8\", text/html;q=0.5",
    "application/fhir+json; title=\"a \\\"b\\\", c; d\"",
    "text/html,, */*;q=0.1,",
];

#[test]
fn requests_of_fhir_libraries_are_admitted() {
    let read = format!("GET /fhir/Patient/{ID}");
    let update = format!("PUT /fhir/Patient/{ID}");
    let patch = format!("PATCH /fhir/Patient/{ID}");
    let formatted = format!(
        "GET /fhir/Observation/{ID}?_format=application%2Ffhir%2Bjson&_pretty=true&_summary=false"
    );
    // Parameters whose schema is an array may be repeated: all values must match.
    let search = format!(
        "GET /fhir/Observation?patient=Patient%2F{ID}&category=vital-signs,laboratory&category=exam\
         &status=final&_lastUpdated=ge2026-01-01&_lastUpdated=lt2026-02-01T00:00:00Z\
         &_include=Observation:subject&_include=Observation%3Aencounter&_count=100"
    );
    for accept in FHIR_ACCEPTS {
        let headers = [
            ("accept", accept),
            ("accept-charset", "utf-8"),
            ("accept-encoding", "gzip"),
            (
                "authorization",
                "Bearer 0123456789abcdefghijABCDEFGHIJ-_0123456789",
            ),
            (
                "user-agent",
                "HAPI-FHIR/7.4.0 (FHIR Client; FHIR 4.0.1/R4; apache)",
            ),
            ("prefer", "return=representation, handling=strict"),
        ];
        for line in [
            read.as_str(),
            formatted.as_str(),
            search.as_str(),
            "GET /fhir/Patient?_count=1000",
            "GET /fhir/Practitioner?_sort=-_lastUpdated,name&_total=accurate",
            "GET /fhir/metadata?_format=json",
        ] {
            assert!(screen(line, &headers).is_ok(), "{accept}: {line}");
        }
        for (line, kind) in [
            (
                "POST /fhir?_format=json",
                "application/fhir+json;charset=UTF-8",
            ),
            ("POST /fhir/", "application/fhir+json"),
            ("POST /fhir/Claim", "application/json"),
            (update.as_str(), "application/fhir+json"),
            (patch.as_str(), "application/json-patch+json; charset=UTF-8"),
            (
                "POST /fhir/Patient/_search?_count=50",
                "application/x-www-form-urlencoded; charset=utf-8",
            ),
        ] {
            let mut headers = headers.to_vec();
            headers.push(("content-type", kind));
            assert!(screen(line, &headers).is_ok(), "{accept}: {line}");
        }
    }
    // Some libraries send a content type without a body.
    let head = head(&read, &[("content-type", "application/fhir+json")]);
    assert!(check(&head, false, &origin(), &api_schema()).is_ok());
}

#[test]
fn a_field_is_admitted_in_every_form_of_its_grammar() {
    let read = format!("GET /fhir/Patient/{ID}");
    for (name, value) in [
        ("prefer", "respond-async, wait=10; foo=\"a;b,c\""),
        ("prefer", "return=\"minimal\""),
        ("prefer", "return = minimal; a = \"b\""),
        ("authorization", "Bearer  abc"),
        ("authorization", "bearer    abc"),
        ("content-type", ""),
        ("if-none-match", "*"),
        ("if-none-match", "W/\"1\", \"2\",\"3-gzip\""),
        ("if-match", "W/\"1\""),
        ("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT"),
        ("if-modified-since", "Sun Nov  6 08:49:37 1994"),
        // Malformed conditions, which are ignored.
        ("if-none-match", "1"),
        ("if-none-match", "W/1, \"2"),
        ("if-none-match", ""),
        (
            "if-modified-since",
            "Thu, 01 Jan 1970 00:00:00 GMT; length=123",
        ),
        ("if-unmodified-since", "0"),
    ] {
        let head = head(&read, &[(name, value)]);
        let api_schema = api_schema();
        let screened = check(&head, false, &origin(), &api_schema);
        assert!(screened.is_ok(), "{name}: {value}: {screened:?}");
    }
}
