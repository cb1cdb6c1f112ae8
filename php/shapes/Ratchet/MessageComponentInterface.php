<?php

namespace Ratchet;

/** The shape of Ratchet's interface of the same name. */
interface MessageComponentInterface extends ComponentInterface, MessageInterface
{
}
