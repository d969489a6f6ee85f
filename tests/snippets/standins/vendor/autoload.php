<?php
// The few classes of b24phpsdk that the snippets name, with its signatures; they post for real.

declare(strict_types=1);

namespace Bitrix24\SDK\Core\Exceptions {
    class BaseException extends \Exception
    {
    }
}

namespace Bitrix24\SDK\Core\Credentials {
    final class Scope
    {
        public static function initFromString(string $scope): self
        {
            return new self();
        }
    }

    final class ApplicationProfile
    {
        public function __construct(public string $clientId, public string $clientSecret, public Scope $scope)
        {
        }
    }

    final class AuthToken
    {
        public function __construct(
            public string $accessToken,
            public ?string $refreshToken,
            public int $expires,
            public ?int $expiresIn = null
        ) {
        }
    }

    final class DefaultOAuthServerUrl
    {
        public static function default(): string
        {
            return 'https://oauth.bitrix.info/';
        }
    }
}

namespace Psr\Log {
    interface LoggerInterface
    {
    }

    final class NullLogger implements LoggerInterface
    {
    }
}

namespace Symfony\Contracts\EventDispatcher {
    interface EventDispatcherInterface
    {
    }
}

namespace Symfony\Component\EventDispatcher {
    use Symfony\Contracts\EventDispatcher\EventDispatcherInterface;

    final class EventDispatcher implements EventDispatcherInterface
    {
    }
}

namespace Bitrix24\SDK\Core\Response {
    use Bitrix24\SDK\Core\Exceptions\BaseException;

    final class ResponseData
    {
        public function __construct(private array $result)
        {
        }

        public function getResult(): array
        {
            return $this->result;
        }
    }

    final class Response
    {
        public function __construct(private array $answer)
        {
        }

        public function getResponseData(): ResponseData
        {
            foreach ($this->answer['result']['result_error'] ?? [] as $key => $error) {
                throw new BaseException("{$error['error']} - {$error['error_description']} batch command id: $key");
            }
            return new ResponseData((array) $this->answer['result']);
        }
    }
}

namespace Bitrix24\SDK\Services {
    use Bitrix24\SDK\Core\Credentials\ApplicationProfile;
    use Bitrix24\SDK\Core\Credentials\AuthToken;
    use Bitrix24\SDK\Core\Exceptions\BaseException;
    use Bitrix24\SDK\Core\Response\Response;
    use Psr\Log\LoggerInterface;
    use Symfony\Contracts\EventDispatcher\EventDispatcherInterface;

    require_once __DIR__ . '/../post.php';

    final class Core
    {
        public function __construct(private string $endpoint, private array $headers)
        {
        }

        public function call(string $apiMethod, array $parameters = []): Response
        {
            $answer = \post($this->endpoint . $apiMethod, $parameters, $this->headers);
            if (array_key_exists('error', $answer)) {
                throw new BaseException("{$answer['error']} - {$answer['error_description']}");
            }
            return new Response($answer);
        }
    }

    final class ServiceBuilder
    {
        public function __construct(public Core $core)
        {
        }
    }

    final class ServiceBuilderFactory
    {
        public function __construct(EventDispatcherInterface $eventDispatcher, LoggerInterface $log)
        {
        }

        public static function createServiceBuilderFromWebhook(string $webhookUrl): ServiceBuilder
        {
            return new ServiceBuilder(new Core($webhookUrl, []));
        }

        public function init(
            ApplicationProfile $applicationProfile,
            AuthToken $authToken,
            string $bitrix24DomainUrl,
            string $oauthServerUrl
        ): ServiceBuilder {
            $headers = ["Authorization: Bearer $authToken->accessToken"];
            return new ServiceBuilder(new Core("$bitrix24DomainUrl/rest/", $headers));
        }
    }
}
