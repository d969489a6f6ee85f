<?php
// One POST of JSON without the curl extension, which Debian's php-cli lacks.

declare(strict_types=1);

function post(string $url, array $params, array $headers = []): array
{
    $http = [
        'method' => 'POST',
        'header' => ['Content-Type: application/json', ...$headers],
        'content' => json_encode((object) $params, JSON_THROW_ON_ERROR),
        'ignore_errors' => true,
    ];
    return json_decode(file_get_contents($url, false, stream_context_create(['http' => $http])), true);
}
